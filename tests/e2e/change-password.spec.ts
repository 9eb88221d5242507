import type { Page } from "@playwright/test";
import { passwordPolicy } from "@/lib/auth/policy";
import { expect, expectLoggedIn, expectLoggedOut, logIn, test } from "@/tests/support/end-to-end";
import { newPassword, password } from "@/tests/support/users";

async function changePassword(page: Page, current: string, next: string): Promise<void> {
  await page.goto("/settings/password");
  await page.getByLabel("Current password").fill(current);
  await page.getByLabel("New password").fill(next);
  await page.getByRole("button", { name: "Change password" }).click();
}

test("a change logs the other browser out, and gives this one a new token", async ({
  loggedIn,
  user,
  logInElsewhere,
  elsewhere,
  mailTo,
}) => {
  const other = await logInElsewhere(user);
  const secondTab = await loggedIn.context().newPage();
  await secondTab.goto("/dashboard");
  const token = async () =>
    (await loggedIn.context().cookies()).find(({ name }) => name === "__Host-session")?.value;
  const before = await token();

  await changePassword(loggedIn, password, newPassword);
  await expect(loggedIn.getByRole("status").first()).toHaveText(
    "Your password is changed. All other devices are logged out.",
  );
  expect(await token()).not.toBe(before);
  await loggedIn.getByRole("link", { name: "Dashboard" }).click();
  await expect(loggedIn.getByText(user.email)).toBeVisible();
  await secondTab.getByRole("link", { name: "Settings" }).click();
  await expect(secondTab).toHaveURL("/settings");
  await expectLoggedOut(other);
  expect((await mailTo(user.email)).subject).toBe("Your password was changed");

  const page = await elsewhere();
  await logIn(page, user.email, password);
  await expect(page.locator("form").getByRole("alert")).toHaveText(
    "Email or password is incorrect.",
  );
  await logIn(page, user.email, newPassword);
  await expect(page).toHaveURL("/dashboard");
});

test("a wrong current password shows its error beside the field, and ends no session", async ({
  loggedIn,
  user,
  logInElsewhere,
}) => {
  const other = await logInElsewhere(user);
  await changePassword(loggedIn, "not my password", newPassword);
  const current = loggedIn.getByLabel("Current password");
  await expect(current).toHaveAccessibleDescription("This is not your password.");
  await expect(current).toBeFocused();
  await expectLoggedIn(other);

  await changePassword(loggedIn, password, "too short");
  await expect(loggedIn.getByLabel("New password")).toHaveAccessibleDescription(
    new RegExp(`Use at least ${passwordPolicy.minLength} characters`),
  );
  await expectLoggedIn(other);
  await expectLoggedIn(loggedIn);
});

test("after the change, Back in the other browser shows nothing", async ({
  loggedIn,
  user,
  logInElsewhere,
}) => {
  const other = await logInElsewhere(user);
  await other.goto("/dashboard");
  await other.getByRole("link", { name: "Settings" }).click();
  await expect(other.getByRole("heading", { name: "Settings" })).toBeVisible();
  await other.evaluate(() => Object.assign(window, { heldPages: true }));
  await changePassword(loggedIn, password, newPassword);
  await expect(loggedIn).toHaveURL("/settings/password?notice=password-changed");

  await other.getByRole("link", { name: "Dashboard" }).click();
  await expect(other).toHaveURL(/\/login/);
  await other.waitForFunction(() => !("heldPages" in window));
  await other.goBack({ waitUntil: "load" });
  await expect(other.getByText(user.email)).toHaveCount(0);
});

test("the field rates the new password, and a button shows it", async ({ loggedIn }) => {
  await loggedIn.goto("/settings/password");
  const field = loggedIn.getByLabel("New password");
  const section = loggedIn.locator("main");
  await field.pressSequentially("short");
  await expect(section.getByText("7 more characters.")).toBeVisible();
  await field.fill("aaaaaaaaaaaaaaa");
  await expect(section.getByText("Long enough, but it repeats itself.")).toBeVisible();
  await field.fill(newPassword);
  await expect(section.getByText("Long enough.", { exact: true })).toBeVisible();
  await field.fill(`${newPassword} fly`);
  await expect(section.getByText("Good.", { exact: true })).toBeVisible();

  await expect(field).toHaveAttribute("type", "password");
  const toggle = loggedIn.getByRole("button", { name: "Show characters" }).last();
  await toggle.click();
  await expect(field).toHaveAttribute("type", "text");
  await expect(field).toHaveValue(`${newPassword} fly`);
  await expect(toggle).toHaveAttribute("aria-pressed", "true");
  await expect(field).toHaveAttribute("autocomplete", "new-password");
});
