import type { Page } from "@playwright/test";
import {
  bothWays,
  expect,
  expectLoggedIn,
  expectLoggedOut,
  logIn,
  test,
} from "@/tests/support/end-to-end";
import { receivedMail } from "@/tests/support/smtp";
import {
  type Authenticator,
  addTwoFactor,
  authenticator,
  fromBase32,
} from "@/tests/support/two-factor";
import { createUser, password } from "@/tests/support/users";

/** Returns the authenticator app that a user sets up with the key beside the QR code. */
async function scan(page: Page): Promise<Authenticator> {
  const key = `${await page.locator("code").textContent()}`.replaceAll(" ", "");
  return authenticator(fromBase32(key));
}

async function setUp(page: Page): Promise<Authenticator> {
  await page.goto("/settings/two-factor");
  await page.getByRole("button", { name: "Set up" }).click();
  await expect(page.getByRole("img", { name: "QR image of the key" })).toBeVisible();
  const app = await scan(page);
  await page.getByRole("textbox", { name: "Code" }).fill(app.wrong());
  await page.getByRole("button", { name: "Turn on" }).click();
  await expect(page.getByText("That code is wrong.")).toBeVisible();
  await page.getByRole("textbox", { name: "Code" }).fill(app.code());
  await page.getByRole("button", { name: "Turn on" }).click();
  await expect(page.getByText("Two-factor is on. Save your recovery codes")).toBeVisible();
  const shown = await page.locator("code").textContent();
  return { ...app, recoveryCodes: `${shown}`.trim().split(/\s+/) };
}

async function enter(page: Page, code: string): Promise<void> {
  await page.getByRole("textbox", { name: "Code" }).fill(code);
  await page.getByRole("button", { name: "Log in", exact: true }).click();
}

for (const { javaScriptEnabled, how } of bothWays)
  test(`set up, log in by code and by recovery code, turn off${how}`, async ({
    app: { mails },
    user,
    logInElsewhere,
    elsewhere,
  }) => {
    const page = await logInElsewhere(user, { javaScriptEnabled });
    const app = await setUp(page);
    expect(app.recoveryCodes).toHaveLength(8);
    await page.goto("/settings/two-factor");
    await expect(page.getByText("8 of 8 recovery codes left")).toBeVisible();
    expect((await receivedMail(mails, user.email)).text).toContain("Two-factor was turned on");

    const other = await elsewhere({ javaScriptEnabled });
    await logIn(other, user.email, password);
    await expect(other).toHaveURL(/\/login\/code/);
    await expectLoggedOut(other);
    await other.goto("/login/code");
    await enter(other, app.wrong());
    await expect(other.getByText("That code is wrong or was used already.")).toBeVisible();
    await enter(other, app.code(1));
    await expect(other).toHaveURL("/dashboard");
    await other.goto("/settings/devices");
    await expect(other.getByText("Password and code, web").first()).toBeVisible();

    const third = await elsewhere({ javaScriptEnabled });
    await logIn(third, user.email, password);
    await third.getByRole("link", { name: "Use a recovery code" }).click();
    await third.getByLabel("Recovery code").fill(`${app.recoveryCodes[0]}`);
    await third.getByRole("button", { name: "Log in", exact: true }).click();
    await expect(third.getByText("You logged in with a recovery code.")).toBeVisible();
    await expect(third.getByText("7 of 8 recovery codes left")).toBeVisible();

    await third.getByRole("button", { name: "New recovery codes" }).click();
    await expect(third.getByText("Your recovery codes")).toBeVisible();
    await third.getByRole("button", { name: "Turn off" }).click();
    await expect(third.getByText("Two-factor is off. All other")).toBeVisible();
    await expectLoggedOut(other);
    await expectLoggedIn(third);
  });

test("without a pending login, the pages for its codes lead to the login", async ({ page }) => {
  for (const path of ["/login/code", "/login/recovery"]) {
    await page.goto(path);
    await expect(page).toHaveURL(/\/login\?/);
  }
});

test("confirming asks for password and code", async ({
  connection: { db, sql },
  user,
  elsewhere,
}) => {
  const app = await addTwoFactor(db, user);
  const page = await elsewhere();
  await logIn(page, user.email, password);
  await enter(page, app.code());
  await expect(page).toHaveURL("/dashboard");
  await sql`update sessions set authenticated_at = now() - interval '1 day'
    where user_id = ${user.id}`;
  await page.goto("/settings/two-factor");
  await page.getByRole("button", { name: "Turn off" }).click();
  await expect(page).toHaveURL(/\/confirm/);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("textbox", { name: "Code" }).fill(app.wrong());
  await page.getByRole("button", { name: "Confirm" }).click();
  await expect(page.getByText("That code is wrong or was used already.")).toBeVisible();
  await page.getByLabel("Password").fill(password);
  await page.getByRole("textbox", { name: "Code" }).fill(app.code(1));
  await page.getByRole("button", { name: "Confirm" }).click();
  await expect(page.getByText("press the button again")).toBeVisible();
});

test("an administrator sets two-factor up before the administration opens", async ({
  connection: { db },
  elsewhere,
}) => {
  const admin = await createUser(db, { role: "admin" });
  const page = await elsewhere();
  await logIn(page, admin.email, password);
  await expect(page).toHaveURL("/dashboard");
  await page.goto("/admin/users");
  await expect(page.getByText("Administrators need a passkey or two-factor.")).toBeVisible();
  await setUp(page);
  await page.goto("/admin/users");
  await expect(page.getByRole("heading", { name: "Users" })).toBeVisible();
});

test("an administrator turns two-factor off for a user", async ({
  connection: { db },
  user,
  logInElsewhere,
  elsewhere,
}) => {
  await addTwoFactor(db, user);
  const page = await logInElsewhere(await createUser(db, { role: "admin" }));
  await page.goto(`/admin/users/${user.id}`);
  await page.getByRole("button", { name: "Turn off two-factor" }).click();
  await expect(page.getByText("Two-factor is off. The user is logged out")).toBeVisible();
  const other = await elsewhere();
  await logIn(other, user.email, password);
  await expect(other).toHaveURL("/dashboard");
});

test("an app needs otp where the account has two-factor", async ({
  app: { origin },
  connection: { db },
  user,
  request,
}) => {
  const authenticator = await addTwoFactor(db, user);
  const ask = (otp?: string) =>
    request.post(`${origin}/api/v1/token`, {
      data: { email: user.email, password, otp },
      ignoreHTTPSErrors: true,
    });
  for (const otp of [undefined, authenticator.wrong()]) {
    const refused = await ask(otp);
    expect(refused.status()).toBe(401);
    expect(await refused.json()).toMatchObject({ code: "second-factor-required" });
  }
  expect((await ask(authenticator.code())).status()).toBe(200);
  expect((await ask(authenticator.recoveryCodes[0])).status()).toBe(200);
});
