import { hashToken } from "@/lib/auth/secrets";
import { expect, test } from "@/tests/support/end-to-end";
import { httpClient, send, tokenFrom } from "@/tests/support/http-client";
import { allMails } from "@/tests/support/smtp";
import { allRows } from "@/tests/support/snapshot";
import { allActions, createScenario, formBody, shownForm } from "@/tests/support/surface";
import { password } from "@/tests/support/users";

const signUp = allActions().find(({ name }) => name === "signUp") ?? fail();
const createAccount = allActions().find(({ name }) => name === "createAccount") ?? fail();

test("an email with an account gets the same answer, and a mail that says so", async ({
  app,
  connection,
  mailTo,
}) => {
  const { user } = await createScenario(connection);
  const newcomer = `new-${Date.now()}@example.com`;
  const answers = [];
  for (const email of [user.email, newcomer]) {
    const from = httpClient(app);
    const { status, headers, setCookie, body } = await from.post(
      "/signup",
      await shownForm(from, signUp, { email }),
    );
    answers.push({ status, location: headers.location, setCookie, body });
  }
  expect(answers[0]).toEqual(answers[1]);
  expect((await mailTo(user.email)).text).toContain(`${app.origin}/login`);
  expect((await mailTo(user.email)).text).not.toContain("/signup/");
  expect((await mailTo(newcomer)).text).toContain(`${app.origin}/signup/`);
});

test("a link opened five times by a scanner works once for its owner", async ({
  app,
  connection,
}) => {
  const { links } = await createScenario(connection);
  const path = `/signup/${links["sign-up"]}`;
  const before = await allRows(connection);
  for (let visit = 0; visit < 5; visit++)
    expect((await httpClient(app).get(path)).status).toBe(200);
  await send(app.origin, path, "HEAD", {});
  expect(await allRows(connection)).toEqual(before);

  const chosen = { token: links["sign-up"], name: "Owner", password };
  const form = () => formBody(createAccount, chosen);
  const first = await httpClient(app).post(path, form());
  expect([first.status, first.headers.location]).toEqual([303, "/dashboard"]);
  expect((await httpClient(app, tokenFrom(first)).get("/dashboard")).body).toContain("Owner");

  const after = await allRows(connection);
  const second = await httpClient(app).post(path, form());
  expect([second.status, second.setCookie]).toEqual([200, []]);
  expect(await allRows(connection)).toEqual(after);
});

test("a used, expired or unknown link says so and changes nothing", async ({
  page,
  connection,
}) => {
  const used = (await createScenario(connection)).links["sign-up"];
  const expired = (await createScenario(connection)).links["sign-up"];
  const { sql } = connection;
  await sql`delete from pending_sign_ups where token_hash = ${hashToken(used)}`;
  await sql`update pending_sign_ups set expires_at = now() - interval '1 second'
    where token_hash = ${hashToken(expired)}`;
  const before = await allRows(connection);
  for (const token of [used, expired, "x", "a".repeat(43), "%00", "a".repeat(3000)]) {
    const answer = await page.goto(`/signup/${token}`);
    expect(answer?.status()).toBe(200);
    await expect(page.getByRole("heading", { name: "This link no longer works" })).toBeVisible();
    await expect(page.getByRole("link", { name: "Get a new link" })).toBeVisible();
  }
  expect(await allRows(connection)).toEqual(before);
});

test("a sign-up started by an attacker and finished by the owner gives the attacker no access", async ({
  page,
  elsewhere,
  mailTo,
}) => {
  const email = `victim-${Date.now()}@example.com`;
  const attacker = await elsewhere();
  await attacker.goto("/signup");
  await attacker.getByLabel("Email").fill(email);
  await attacker.getByRole("button", { name: "Continue" }).click();
  await expect(attacker.getByRole("heading", { name: "Check your email" })).toBeVisible();

  await page.goto((await mailTo(email)).text.match(/https:\S+/)?.[0] ?? "");
  await page.getByLabel("Name").fill("Victim");
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Create account" }).click();
  await expect(page).toHaveURL("/dashboard");

  expect(await attacker.context().cookies()).toEqual([]);
  await attacker.goto("/dashboard");
  await expect(attacker).toHaveURL(/\/login/);
});

test("mailed links start with APP_URL for any Host header", async ({ app, mailTo }) => {
  const evil = "evil.example";
  for (const [index, headers] of [
    { host: evil },
    { "x-forwarded-host": evil },
    { "x-forwarded-host": evil, "x-forwarded-proto": "http", "x-forwarded-port": "81" },
    { forwarded: `host=${evil};proto=http` },
    { "x-original-host": evil, "x-host": evil },
  ].entries()) {
    const email = `host-${index}-${Date.now()}@example.com`;
    // With an Origin that contradicts them, Next itself refuses some of these.
    const sent = { ...headers, origin: undefined };
    await httpClient(app).post("/signup", formBody(signUp, { email }), sent);
    const { text, html } = await mailTo(email);
    expect(text).toContain(`${app.origin}/signup/`);
    expect(text + html).not.toContain(evil);
  }
  const mails = JSON.stringify(await allMails(app.mails));
  expect(mails).not.toContain(evil);
});

function fail(): never {
  throw new Error("The build lacks an action of the sign-up.");
}
