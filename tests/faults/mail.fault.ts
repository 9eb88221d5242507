import { mkdtemp, readFile, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterAll, expect, it } from "vitest";
import { connect } from "@/lib/db/client";
import { minutes } from "@/lib/time";
import { startApp } from "@/tests/support/app";
import { httpClient } from "@/tests/support/http-client";
import { cloneTemplate, startTestServer } from "@/tests/support/postgres";
import { allMails, receivedMail, startSmtpServer } from "@/tests/support/smtp";
import { actionNamed, formBody } from "@/tests/support/surface";
import { createUser } from "@/tests/support/users";
import { report } from "./report";

const cleanUp: (() => unknown)[] = [];

afterAll(async () => {
  for (const step of cleanUp.reverse()) await step();
});

it("mails that were promised while the mail server was down are sent once, when it is back", async () => {
  const directory = await mkdtemp(path.join(os.tmpdir(), "latchkey-mails-"));
  const server = await startTestServer();
  const url = await cloneTemplate(server.url, server.template, "mail");
  const mails = path.join(directory, "mails.jsonl");
  const smtp = await startSmtpServer(mails);
  const connection = connect(url, { max: 2 });
  const app = await startApp(url, { env: { SMTP_URL: smtp.url } });
  cleanUp.push(
    () => rm(directory, { recursive: true }),
    server.stop,
    () => connection.sql.end(),
    app.stop,
  );
  const waiting = () => connection.sql<{ id: string; attempts: number; payload: unknown }[]>`
    select id::text, attempts, payload from graphile_worker._private_jobs
    where payload->>'to' is not null order by id`;

  await smtp.stop();
  const users = await Promise.all(Array.from({ length: 20 }, () => createUser(connection.db)));
  const statuses = await Promise.all(
    users.map(async ({ email }) => {
      const form = formBody(actionNamed("sendResetLink"), { email });
      return (await httpClient(app).post("/forgot-password", form)).status;
    }),
  );
  expect(new Set(statuses)).toEqual(new Set([303]));
  await expect
    .poll(async () => (await waiting()).filter(({ attempts }) => attempts > 0).length, patient)
    .toBe(users.length);
  const [job] = await waiting();
  // The log has the failure with the job's id, and the job contains no secret.
  await expect
    .poll(() => readFile(app.log, "utf8"), patient)
    .toMatch(new RegExp(`Failed task ${job?.id} \\(mail`));
  expect(JSON.stringify(job?.payload)).not.toMatch(/[\w-]{43}/);
  expect(await allMails(mails)).toEqual([]);

  const back = Date.now();
  const restarted = await startSmtpServer(mails, Number(new URL(smtp.url).port));
  cleanUp.push(restarted.stop);
  await expect.poll(async () => (await allMails(mails)).length, patient).toBeGreaterThan(0);
  const recovered = Date.now() - back;
  const links = await Promise.all(
    users.map(async ({ email }) => /https:\S+/.exec((await receivedMail(mails, email)).text)?.[0]),
  );
  for (const link of links) {
    const { body } = await httpClient(app).get(new URL(link ?? "").pathname);
    expect(body).toContain("Choose a new password");
  }
  await expect.poll(waiting, patient).toHaveLength(0);
  expect(await allMails(mails)).toHaveLength(users.length);
  report({
    fault: "mail server down",
    ...{ sent: users.length, well: users.length, refused: {}, hung: 0, recovered },
    ...{ lost: 0, cameBack: 0 },
  });
});

const patient = { timeout: minutes(2) };
