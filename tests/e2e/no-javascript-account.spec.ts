import { expect, expectLoggedOut, linkIn, logIn, test } from "@/tests/support/end-to-end";
import { newPassword, password } from "@/tests/support/users";

test.use({ javaScriptEnabled: false });

test("forget the password, and choose a new one", async ({ page, user, loggedIn, mailTo }) => {
  await page.goto("/forgot-password");
  await page.getByLabel("Email").fill(user.email);
  await page.getByRole("button", { name: "Send reset link" }).click();
  await expect(page.getByRole("heading", { name: "Check your email" })).toBeVisible();

  await page.goto(linkIn(await mailTo(user.email)));
  await page.getByLabel("New password").fill("password1234");
  await page.getByRole("button", { name: "Set new password" }).click();
  await expect(page.getByLabel("New password")).toHaveAccessibleDescription(
    /lists that attackers try first/,
  );
  await page.getByLabel("New password").fill(newPassword);
  await page.getByRole("button", { name: "Set new password" }).click();
  await expect(page).toHaveURL("/login?notice=password-reset");
  await expectLoggedOut(loggedIn);
  await logIn(page, user.email, newPassword);
  await expect(page).toHaveURL("/dashboard");
});

test("change the password", async ({ loggedIn, user, logInElsewhere, elsewhere }) => {
  const other = await logInElsewhere(user, { javaScriptEnabled: false });
  await loggedIn.goto("/settings/password");
  await loggedIn.getByLabel("Current password").fill("not my password 7391");
  await loggedIn.getByLabel("New password").fill(newPassword);
  await loggedIn.getByRole("button", { name: "Change password" }).click();
  await expect(loggedIn.getByLabel("Current password")).toHaveAccessibleDescription(
    "This is not your password.",
  );
  expect(await loggedIn.content()).not.toContain("7391");
  expect(await loggedIn.content()).not.toContain(newPassword);

  await loggedIn.getByLabel("Current password").fill(password);
  await loggedIn.getByLabel("New password").fill(newPassword);
  await loggedIn.getByRole("button", { name: "Change password" }).click();
  await expect(loggedIn).toHaveURL("/settings/password?notice=password-changed");
  await loggedIn.goto("/dashboard");
  await expect(loggedIn).toHaveURL("/dashboard");
  await expectLoggedOut(other);
  const page = await elsewhere({ javaScriptEnabled: false });
  await logIn(page, user.email, newPassword);
  await expect(page).toHaveURL("/dashboard");
});

test("change the email, and delete the account", async ({ loggedIn, user, mailTo }) => {
  const next = `next-${user.email}`;
  await loggedIn.goto("/settings/profile");
  const change = loggedIn.locator("form").filter({ hasText: "Change email" });
  await change.getByLabel("Email").fill(next);
  await change.getByRole("button", { name: "Change email" }).click();
  await expect(loggedIn).toHaveURL("/settings/profile?notice=email-link-sent");
  await loggedIn.goto(linkIn(await mailTo(next)));
  await loggedIn.getByRole("button", { name: "Use this email" }).click();
  await expect(loggedIn).toHaveURL("/settings/profile?notice=email-changed");

  const deletion = loggedIn.locator("form").filter({ hasText: "to confirm" });
  await deletion.getByLabel(/to confirm/).fill(next);
  await deletion.getByRole("button", { name: "Delete account" }).click();
  await expect(loggedIn).toHaveURL("/login?notice=account-deleted");
  await expect.poll(async () => (await mailTo(next)).subject).toBe("Your account is deleted");
});

test("what needs a script is not shown", async ({ page, loggedIn }) => {
  await page.goto("/login");
  await expect(page.getByRole("button", { name: "Show characters" })).toBeHidden();
  await loggedIn.goto("/settings/password");
  await expect(loggedIn.getByRole("button", { name: "Show characters" })).toHaveCount(0);
});
