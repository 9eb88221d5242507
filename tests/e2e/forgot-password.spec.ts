import { passwordPolicy } from "@/lib/auth/policy";
import { hashToken } from "@/lib/auth/secrets";
import {
  askForReset,
  expect,
  expectLoggedIn,
  expectLoggedOut,
  linkIn,
  logIn,
  test,
} from "@/tests/support/end-to-end";
import { httpClient } from "@/tests/support/http-client";
import { allMails } from "@/tests/support/smtp";
import { allRows, untilJobsAreDone } from "@/tests/support/snapshot";
import { actionNamed, createScenario, formBody, shownForm } from "@/tests/support/surface";
import { newPassword, password } from "@/tests/support/users";

test("a reset logs out a logged-in browser, and the new password works", async ({
  page,
  user,
  loggedIn,
  mailTo,
}) => {
  await page.goto("/login");
  await page.getByRole("link", { name: "Forgot your password?" }).click();
  await expect(page.getByRole("heading", { name: "Forgot your password?" })).toBeVisible();
  await page.getByLabel("Email").fill(user.email);
  await page.getByRole("button", { name: "Send reset link" }).click();
  await expect(page.getByRole("heading", { name: "Check your email" })).toBeVisible();
  await expectLoggedIn(loggedIn);

  const link = linkIn(await mailTo(user.email));
  await page.goto(link);
  await page.getByLabel("New password").fill(newPassword);
  await page.getByRole("button", { name: "Set new password" }).click();
  await expect(page).toHaveURL("/login?notice=password-reset");
  await expect(page.getByRole("status")).toHaveText("Your new password is set. Log in with it.");

  // The reset creates no session: the user must log in with the new password.
  await expectLoggedOut(page);
  await expectLoggedOut(loggedIn);
  await expect.poll(async () => (await mailTo(user.email)).subject).toMatch(/was changed/);

  await page.goto(link);
  await expect(page.getByRole("heading", { name: "This link no longer works" })).toBeVisible();
  await page.getByRole("link", { name: "Get a new link" }).click();
  await expect(page).toHaveURL("/forgot-password");

  await logIn(page, user.email, password);
  await expect(page.locator("form").getByRole("alert")).toHaveText(
    "Email or password is incorrect.",
  );
  await logIn(page, user.email, newPassword);
  await expect(page).toHaveURL("/dashboard");
});

test("of two requested links, only the newest works", async ({ page, user, app, connection }) => {
  const links = [];
  for (let asked = 0; asked < 2; asked++) {
    await askForReset(page, user.email);
    await untilJobsAreDone(connection);
    const mails = (await allMails(app.mails)).filter(({ to }) => to === user.email);
    expect(mails).toHaveLength(asked + 1);
    links.push(linkIn(mails.at(-1)));
  }
  const [older = "", newest = ""] = links;
  await page.goto(older);
  await expect(page.getByRole("heading", { name: "This link no longer works" })).toBeVisible();
  await page.goto(newest);
  await page.getByLabel("New password").fill(newPassword);
  await page.getByRole("button", { name: "Set new password" }).click();
  await expect(page).toHaveURL("/login?notice=password-reset");
});

test("an email without an account gets the same answer, and no mail", async ({
  app,
  connection,
  user,
}) => {
  const action = actionNamed("sendResetLink");
  const unknown = `unknown-${user.email}`;
  const answers = [];
  for (const email of [user.email, unknown]) {
    const from = httpClient(app);
    const form = await shownForm(from, action, { email });
    const { status, headers, setCookie, body } = await from.post("/forgot-password", form);
    answers.push({ status, location: headers.location, setCookie, body });
  }
  expect(answers[0]).toEqual(answers[1]);
  expect(answers[0]?.location).toBe("/forgot-password?notice=check-your-email");
  await untilJobsAreDone(connection);
  const receivers = (await allMails(app.mails)).map(({ to }) => to);
  expect(receivers).toContain(user.email);
  expect(receivers).not.toContain(unknown);
});

test("a used, expired or unknown link says so and changes nothing", async ({
  page,
  app,
  connection,
}) => {
  const used = await createScenario(connection);
  const expired = await createScenario(connection);
  const foreign = await createScenario(connection);
  const { sql } = connection;
  const hashOf = ({ links }: typeof used) => hashToken(links["password-reset"]);
  await sql`delete from links where token_hash = ${hashOf(used)}`;
  await sql`update links set expires_at = now() - interval '1 second'
    where token_hash = ${hashOf(expired)}`;
  const before = await allRows(connection);
  const action = actionNamed("setNewPassword");
  for (const token of [
    ...[used.links["password-reset"], expired.links["password-reset"], foreign.links["not-me"]],
    ...["x", "a".repeat(43), "%00"],
  ]) {
    await page.goto(`/reset-password/${token}`);
    await expect(page.getByRole("heading", { name: "This link no longer works" })).toBeVisible();
    await expect(page.getByRole("link", { name: "Get a new link" })).toBeVisible();
    const form = formBody(action, { token, password: newPassword });
    const answer = await httpClient(app).post("/reset-password/x", form);
    expect([answer.status, answer.setCookie]).toEqual([200, []]);
  }
  expect(await allRows(connection)).toEqual(before);
});

test("a link opened five times by a scanner and used thirty times at once works once", async ({
  app,
  connection,
}) => {
  const { links, user } = await createScenario(connection);
  const path = `/reset-password/${links["password-reset"]}`;
  const before = await allRows(connection);
  for (let visit = 0; visit < 5; visit++)
    expect((await httpClient(app).get(path)).status).toBe(200);
  expect(await allRows(connection)).toEqual(before);

  const action = actionNamed("setNewPassword");
  const answers = await Promise.all(
    Array.from({ length: 30 }, (_, index) => {
      const form = { token: links["password-reset"], password: `${newPassword} ${index}` };
      return httpClient(app).post(path, formBody(action, form));
    }),
  );
  const statuses = answers.map(({ status }) => status).sort();
  expect(statuses).toEqual([...Array(29).fill(200), 303]);
  const winner = answers.findIndex(({ status }) => status === 303);
  for (const [index, status] of [
    [winner, 303],
    [winner === 0 ? 1 : 0, 200],
  ] as const) {
    const form = { email: user.email, password: `${newPassword} ${index}` };
    const login = await httpClient(app).post("/login", formBody(actionNamed("logIn"), form));
    expect(login.status).toBe(status);
  }
});

test("a weak password is refused with the reason, and the link still works", async ({
  page,
  user,
  mailTo,
}) => {
  await askForReset(page, user.email);
  await page.goto(linkIn(await mailTo(user.email)));
  const field = page.getByLabel("New password");
  for (const [bad, sentence] of [
    ["too short", new RegExp(`at least ${passwordPolicy.minLength} characters`)],
    ["password1234", /lists that attackers try first/],
    ["P@ssword2026!", /easy to guess/],
    [`${user.email}!`, /your name, your email/],
  ] as const) {
    await field.fill(bad);
    await page.getByRole("button", { name: "Set new password" }).click();
    await expect(field).toHaveAccessibleDescription(sentence);
    await expect(field).toHaveValue("");
  }
  await field.fill(newPassword);
  await page.getByRole("button", { name: "Set new password" }).click();
  await expect(page).toHaveURL("/login?notice=password-reset");
});
