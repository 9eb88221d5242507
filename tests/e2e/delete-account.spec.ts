import { readFile } from "node:fs/promises";
import type { Page } from "@playwright/test";
import { password } from "@/tests/support/people";
import { allRows } from "@/tests/support/snapshot";
import { expect, expectLoggedIn, expectLoggedOut, logIn, test } from "@/tests/support/story";

async function deleteAccount(page: Page, confirmation: string): Promise<void> {
  await page.goto("/settings/profile");
  const form = page.locator("form").filter({ hasText: "to confirm" });
  await form.getByLabel(/to confirm/).fill(confirmation);
  await form.getByRole("button", { name: "Delete account" }).click();
}

test("deleted: every device is out at once, an open tab and Back show nothing, a mail says goodbye", async ({
  loggedIn,
  person,
  logInElsewhere,
  mailTo,
  connection,
}) => {
  const other = await logInElsewhere(person);
  const openTab = await loggedIn.context().newPage();
  for (const page of [openTab, other]) {
    await page.goto("/dashboard");
    await page.getByRole("link", { name: "Settings" }).click();
    await expect(page.getByRole("heading", { name: "Profile" })).toBeVisible();
    await page.evaluate(() => Object.assign(window, { heldPages: true }));
  }
  await deleteAccount(loggedIn, person.email);
  await expect(loggedIn).toHaveURL("/login?notice=account-deleted");
  await expect(loggedIn.getByRole("status")).toHaveText("Your account is deleted.");
  await expect(loggedIn.getByText(person.email)).toHaveCount(0);

  for (const page of [openTab, other]) {
    await page.getByRole("link", { name: "Dashboard" }).click();
    await expect(page).toHaveURL(/\/login/);
    await page.waitForFunction(() => !("heldPages" in window));
    await page.goBack({ waitUntil: "load" });
    await expect(page.getByText(person.email)).toHaveCount(0);
  }
  expect((await mailTo(person.email)).subject).toBe("Your account is deleted");
  await logIn(loggedIn, person.email, password);
  await expect(loggedIn.locator("form").getByRole("alert")).toHaveText(
    "Email or password is incorrect.",
  );

  // What is left names nobody.
  const left = JSON.stringify(await allRows(connection));
  for (const personal of [person.id, person.email]) expect(left).not.toContain(personal);
  const [event] = await connection.sql`
    select * from audit_events where kind = 'account-deleted' order by id desc limit 1`;
  expect(event).toMatchObject({ user_id: null, ip: null, user_agent: null, session_id: null });
});

test("without the address typed nothing happens", async ({ loggedIn }) => {
  const form = loggedIn.locator("form").filter({ hasText: "to confirm" });
  await deleteAccount(loggedIn, "somebody@example.com");
  await expect(form.getByLabel(/to confirm/)).toHaveAccessibleDescription(
    "Type your address exactly as it stands above.",
  );
  await expect(form.getByLabel(/to confirm/)).toHaveValue("somebody@example.com");
  await expectLoggedIn(loggedIn);
});

test("the data can be taken along, without a secret in it", async ({
  loggedIn,
  person,
  connection: { sql },
}) => {
  await loggedIn.goto("/settings/profile");
  const download = loggedIn.waitForEvent("download");
  await loggedIn.getByRole("link", { name: "Download my data" }).click();
  const file = await download;
  expect(file.suggestedFilename()).toBe("my-data.json");
  const text = await readFile(await file.path(), "utf8");
  const data = JSON.parse(text);
  expect(data.profile).toMatchObject({ email: person.email, name: person.name });
  expect(data.sessions).toHaveLength(1);
  expect(data.activity.map(({ kind }: { kind: string }) => kind)).toContain("logged-in");

  const [row] = await sql<{ session: Buffer; password: string }[]>`
    select token_hash as session, hash as password
    from sessions join passwords using (user_id) where user_id = ${person.id}`;
  for (const secret of [row?.session.toString("hex"), row?.session.toString("base64")])
    expect(text).not.toContain(secret);
  expect(text).not.toContain(row?.password);
  expect(text).not.toMatch(/hash|token|argon2/i);
});

test("nobody else's data comes along, and without a session it is the login", async ({ page }) => {
  await page.goto("/settings/profile/data");
  await expect(page).toHaveURL("/login?next=%2Fsettings%2Fprofile%3Fnotice%3Dconfirmed");
  await expectLoggedOut(page);
});
