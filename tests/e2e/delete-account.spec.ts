import { readFile } from "node:fs/promises";
import type { Page } from "@playwright/test";
import { sudoPolicy } from "@/lib/auth/policy";
import type { Connection } from "@/lib/db/client";
import { limits } from "@/lib/rate-limits";
import { span } from "@/tests/support/ages";
import { bothWays, expect, expectLoggedIn, logIn, test } from "@/tests/support/end-to-end";
import { httpClient } from "@/tests/support/http-client";
import { allRows, untilJobsAreDone } from "@/tests/support/snapshot";
import { createScenario } from "@/tests/support/surface";
import { password } from "@/tests/support/users";

async function deleteAccount(page: Page, confirmation: string): Promise<void> {
  await page.goto("/settings/profile");
  const form = page.locator("form").filter({ hasText: "to confirm" });
  await form.getByLabel(/to confirm/).fill(confirmation);
  await form.getByRole("button", { name: "Delete account" }).click();
}

test("deletion logs out every device at once; an open tab and Back show nothing; a farewell mail is sent", async ({
  loggedIn,
  user,
  logInElsewhere,
  mailTo,
  connection,
}) => {
  const other = await logInElsewhere(user);
  const openTab = await loggedIn.context().newPage();
  for (const page of [openTab, other]) {
    await page.goto("/dashboard");
    await page.getByRole("link", { name: "Settings" }).click();
    await expect(page.getByRole("heading", { name: "Settings" })).toBeVisible();
    await page.evaluate(() => Object.assign(window, { heldPages: true }));
  }
  await deleteAccount(loggedIn, user.email);
  await expect(loggedIn).toHaveURL("/login?notice=account-deleted");
  await expect(loggedIn.getByRole("status")).toHaveText("Your account is deleted.");
  await expect(loggedIn.getByText(user.email)).toHaveCount(0);

  for (const page of [openTab, other]) {
    await page.getByRole("link", { name: "Dashboard" }).click();
    await expect(page).toHaveURL(/\/login/);
    await page.waitForFunction(() => !("heldPages" in window));
    await page.goBack({ waitUntil: "load" });
    await expect(page.getByText(user.email)).toHaveCount(0);
  }
  expect((await mailTo(user.email)).subject).toBe("Your account is deleted");
  await logIn(loggedIn, user.email, password);
  await expect(loggedIn.locator("form").getByRole("alert")).toHaveText(
    "Email or password is incorrect.",
  );

  // The remaining rows identify no user.
  const left = JSON.stringify(await allRows(connection));
  for (const personal of [user.id, user.email]) expect(left).not.toContain(personal);
  const [event] = await connection.sql`
    select * from audit_events where kind = 'account-deleted' order by id desc limit 1`;
  expect(event).toMatchObject({ user_id: null, ip: null, user_agent: null, session_id: null });
});

test("without the email typed, nothing is deleted", async ({ loggedIn }) => {
  const form = loggedIn.locator("form").filter({ hasText: "to confirm" });
  await deleteAccount(loggedIn, "other@example.com");
  await expect(form.getByLabel(/to confirm/)).toHaveAccessibleDescription(
    "Type your email exactly as shown above.",
  );
  await expect(form.getByLabel(/to confirm/)).toHaveValue("other@example.com");
  await expectLoggedIn(loggedIn);
});

for (const { javaScriptEnabled, how } of bothWays) {
  test(`the data can be downloaded, without secrets, and Activity lists it${how}`, async ({
    logInElsewhere,
    user,
    connection: { sql },
  }) => {
    const loggedIn = await logInElsewhere(user, { javaScriptEnabled });
    await loggedIn.goto("/settings/profile");
    const download = loggedIn.waitForEvent("download");
    await loggedIn.getByRole("button", { name: "Download my data" }).click();
    const file = await download;
    expect(file.suggestedFilename()).toBe("my-data.json");
    const text = await readFile(await file.path(), "utf8");
    const data = JSON.parse(text);
    expect(data.profile).toMatchObject({ email: user.email, name: user.name });
    expect(data.sessions).toHaveLength(1);
    expect(data.activity.map(({ kind }: { kind: string }) => kind)).toContain("logged-in");

    const [row] = await sql<{ session: Buffer; password: string }[]>`
    select token_hash as session, hash as password
    from sessions join passwords using (user_id) where user_id = ${user.id}`;
    for (const secret of [row?.session.toString("hex"), row?.session.toString("base64")])
      expect(text).not.toContain(secret);
    expect(text).not.toContain(row?.password);
    expect(text).not.toMatch(/hash|token|argon2/i);

    await loggedIn.goto("/settings/activity");
    await expect(loggedIn.getByText("Your data was downloaded")).toHaveCount(1);
  });
}

test("without a session the download leads to the login, and records no event", async ({
  app,
  connection,
}) => {
  const before = await allRows(connection);
  const answer = await httpClient(app).post("/settings/profile/data", "");
  expect(answer.headers.location).toBe("/login?next=%2Fsettings%2Fprofile%3Fnotice%3Dconfirmed");
  expect(answer.body).not.toContain('profile":');
  expect(await allRows(connection)).toEqual(before);
});

test("the eleventh download in an hour says when to try again, and leaves no event", async ({
  app,
  connection,
}) => {
  const { token } = await createScenario(connection);
  const ask = () => httpClient(app, token).post("/settings/profile/data", "");
  for (let n = 0; n < limits.exportPerUser.burst; n++) expect((await ask()).status).toBe(200);
  const before = await allRows(connection);
  const refused = await ask();
  expect(refused.status).toBe(429);
  expect(refused.headers["retry-after"]).toMatch(/^\d+$/);
  expect(refused.body).toMatch(/Too many attempts\. Try again in \d+ minutes?\./);
  expect(await allRows(connection)).toEqual(before);
});

test("nothing personal stays in a table, the queue, the browser or the log", async ({
  app,
  loggedIn,
  user,
  connection,
  mailTo,
}) => {
  const { sql } = connection;
  // The proof of identity has expired, so the browser keeps a draft that contains an email.
  const next = `next-${user.email}`;
  await sql`
    update sessions set authenticated_at = now() - ${span(sudoPolicy.submit)}::interval
    where user_id = ${user.id}`;
  await loggedIn.goto("/settings/profile");
  const form = loggedIn.locator("form").filter({ hasText: "Change email" });
  await form.getByLabel("Email").fill(next);
  await form.getByRole("button", { name: "Change email" }).click();
  await loggedIn.getByLabel("Password").fill(password);
  await loggedIn.getByRole("button", { name: "Confirm" }).click();
  await expect(form.getByLabel("Email")).toHaveValue(next);
  // And a mail that could not be sent yet.
  await sql`select from graphile_worker.add_job('mail',
    ${JSON.stringify({ mail: "password-reset", to: user.email })}::text::json,
    run_at => now() + interval '1 hour')`;
  await deleteAccount(loggedIn, user.email);
  await expect(loggedIn).toHaveURL("/login?notice=account-deleted");
  await mailTo(user.email); // the farewell mail, which contains the email
  await untilJobsAreDone(connection);

  const cookies = await loggedIn.context().cookies();
  expect(cookies.map(({ name }) => name)).not.toContain("__Host-session");
  const values = cookies.flatMap(({ value }) => [
    value,
    Buffer.from(value, "base64url").toString(),
  ]);
  const log = await readFile(app.log, "utf8");
  const left = [await everyRow(sql), values.join("\n"), log].join("\n").toLowerCase();
  for (const personal of [user.id, user.email])
    expect(left.includes(personal.toLowerCase()), personal).toBe(false);
});

/** Returns every row of every table, including the queue's, as text. */
async function everyRow(sql: Connection["sql"]): Promise<string> {
  const tables = await sql<{ schema: string; name: string }[]>`
    select table_schema as schema, table_name as name from information_schema.tables
    where table_schema in ('public', 'graphile_worker') and table_type = 'BASE TABLE'`;
  const rows = await Promise.all(
    tables.map(({ schema, name }) => sql`select t::text as row from ${sql(schema)}.${sql(name)} t`),
  );
  return rows
    .flat()
    .map(({ row }) => row)
    .join("\n");
}
