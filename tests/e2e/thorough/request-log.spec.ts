import { readFile } from "node:fs/promises";
import { newToken } from "@/lib/auth/secrets";
import { expect, test } from "@/tests/support/end-to-end";
import { httpClient } from "@/tests/support/http-client";
import { linesOf, loggedLine } from "@/tests/support/request-log";
import { createScenario } from "@/tests/support/surface";

test("each request has a line with its route, status, session and id, and no token", async ({
  app,
  connection,
}) => {
  const { token, links, linkPaths, user } = await createScenario(connection);
  const { get, post } = httpClient(app, token);
  const sessions = await connection.sql`select id from sessions where user_id = ${user.id}`;
  const secrets = [token, ...Object.values(links), newToken(), newToken()];
  const [unknown = "", id = ""] = secrets.slice(-2);

  const answers = [];
  for (const path of linkPaths) answers.push(await get(path), await post(path, ""));
  answers.push(await get(`/login?next=/dashboard&code=${unknown}`));
  answers.push(await get(`/not-there/${unknown}`));
  const last = await get("/settings/devices", { "x-request-id": "edge-0123456789" });
  expect(last.headers["x-request-id"]).toBe("edge-0123456789");
  // From a trusted proxy, but not a valid id.
  const odd = await get("/login", { "x-request-id": `${id} {"}` });

  for (const answer of [...answers, odd, last]) {
    const line = await loggedLine(app, answer);
    expect(line.status).toBe(answer.status);
    expect(line.at).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
    expect(line.ms).toBeGreaterThan(0);
  }
  const line = await loggedLine(app, last);
  expect(line).toMatchObject({ method: "GET", path: "/settings/devices", status: 200 });
  expect(sessions.map((session) => session.id)).toContain(line.session);
  const paths = (await linesOf(app)).map(({ path }) => path);
  expect(paths).toEqual(
    expect.arrayContaining(["/reset-password/*", "/signup/*", "/t/*/settings/members"]),
  );
  expect(paths).toEqual(expect.arrayContaining(["/login", "/not-there/*"]));
  expect(paths.filter((path) => path.startsWith("/_next/static/"))).toEqual([]);

  const log = await readFile(app.log, "utf8");
  expect([...app.tokens]).toEqual(expect.arrayContaining(secrets.slice(0, -1)));
  for (const secret of [...app.tokens, id]) expect(log).not.toContain(secret);
});

test("an action's redirect, whose target Next fetches from this server, is one line", async ({
  app,
  loggedIn,
}) => {
  await loggedIn.goto("/settings/profile");
  const answered = loggedIn.waitForResponse((response) => response.request().method() === "POST");
  await loggedIn.getByLabel("Name").fill("Ada");
  await loggedIn.getByRole("button", { name: "Save" }).click();
  const id = (await answered).headers()["x-request-id"];
  await expect
    .poll(async () => (await linesOf(app)).filter((line) => line.id === id).length)
    .toBe(1);
  await expect(loggedIn.getByRole("status")).toBeVisible();
});
