import { connect } from "@/lib/db/client";
import { recurringJobs } from "@/lib/recurring-jobs";
import { startApp } from "@/tests/support/app";
import { expect, test } from "@/tests/support/end-to-end";
import { httpClient, type SentHeaders } from "@/tests/support/http-client";
import { allMails, receivedMail } from "@/tests/support/smtp";
import { actionNamed, createScenario, formBody } from "@/tests/support/surface";

const secret = "cron-secret-cron-secret-cron-secret-cron-sec";
const bearer = { authorization: `Bearer ${secret}` };
/** As a scheduler calls: without a browser's headers. */
const program = { origin: undefined, "sec-fetch-site": undefined };

test("without CRON_SECRET the route answers 404", async ({ app }) => {
  for (const headers of [{}, bearer, { authorization: "Bearer " }, { authorization: "Bearer" }]) {
    const { status, body, ...answer } = await httpClient(app).post("/api/jobs", "", {
      ...program,
      ...headers,
    });
    expect(status).toBe(404);
    expect(JSON.parse(body)).toMatchObject({ status: 404, code: "not-found" });
    expect(answer.headers["content-type"]).toContain("application/problem+json");
  }
  expect((await httpClient(app).get("/api/jobs", bearer)).status).toBe(405);
});

test("with CRON_SECRET each call runs the due jobs and counts them; none run in between", async ({
  newDatabase,
}) => {
  const url = await newDatabase();
  const connection = connect(url, { max: 1 });
  const app = await startApp(url, { env: { CRON_SECRET: secret } });
  const call = (headers: SentHeaders = bearer) =>
    httpClient(app).post("/api/jobs", "", { ...program, ...headers });

  const { user } = await createScenario(connection);
  await connection.sql`delete from graphile_worker._private_jobs`; // the mails caused by the setup
  const form = formBody(actionNamed("sendResetLink"), { email: user.email });
  expect((await httpClient(app).post("/forgot-password", form)).status).toBe(303);
  await connection.sql`update links set expires_at = now() - interval '1 hour'`;

  for (const wrong of [
    ...[{}, { authorization: secret }, { authorization: "Bearer " }],
    ...[{ authorization: `Bearer ${secret}x` }, { authorization: `bearer ${secret}` }],
    { cookie: `session=${secret}` },
  ]) {
    const { status, headers, body } = await call(wrong);
    expect([status, headers["www-authenticate"]]).toEqual([401, "Bearer"]);
    expect(JSON.parse(body)).toMatchObject({ status: 401, code: "invalid-token" });
  }
  for (const foreign of [
    { origin: "https://evil.example" },
    { "sec-fetch-site": "cross-site" },
    { origin: "null" },
  ])
    expect((await call({ ...bearer, ...foreign })).status).toBe(403);
  expect(await allMails(app.mails)).toEqual([]);

  const { status, body, headers } = await call();
  expect([status, headers["cache-control"]]).toEqual([200, "no-store"]);
  expect(JSON.parse(body)).toEqual({ done: 1, failed: 0 });
  expect((await receivedMail(app.mails, user.email)).subject).toBe("Choose a new password");

  // Make every recurring job due.
  const links = () => connection.sql`select purpose from links where user_id = ${user.id}`;
  expect((await links()).length).toBeGreaterThan(1);
  await connection.sql`update graphile_worker._private_jobs set run_at = now()`;
  expect(JSON.parse((await call()).body)).toEqual({ done: recurringJobs.length, failed: 0 });
  expect([...(await links())]).toEqual([{ purpose: "password-reset" }]);

  // Two concurrent calls run nothing twice.
  await httpClient(app).post("/forgot-password", form);
  await Promise.all([call(), call()]);
  expect(await allMails(app.mails)).toHaveLength(2);

  await app.stop();
  await connection.sql.end();
});
