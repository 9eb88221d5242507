import { expect, test } from "@/tests/support/end-to-end";
import { password } from "@/tests/support/users";

test.use({ javaScriptEnabled: false });

test("sign up, log out, log in again", async ({ page, mailTo }) => {
  const email = `plain-${Date.now()}@example.com`;
  await page.goto("/signup");
  await page.getByLabel("Email").fill(email);
  await page.getByRole("button", { name: "Continue" }).click();
  await expect(page.getByRole("heading", { name: "Check your email" })).toBeVisible();

  const [link] = (await mailTo(email)).text.match(/https:\S+/) ?? [];
  await page.goto(link ?? "");
  await page.getByLabel("Name").fill("Plain Walker");
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Create account" }).click();
  await expect(page).toHaveURL("/dashboard");
  await expect(page.getByRole("heading", { level: 1 })).toContainText("Plain Walker");

  await page.getByRole("button", { name: "Log out" }).click();
  await expect(page).toHaveURL("/login?notice=logged-out");
  await expect(page.getByRole("status")).toBeVisible();

  await page.getByLabel("Email").fill(email);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Log in", exact: true }).click();
  await expect(page).toHaveURL("/dashboard");
});

test("a wrong password keeps the email in the form, and is never sent back", async ({
  page,
  user,
}) => {
  await page.goto("/login?next=/settings/devices");
  await page.getByLabel("Email").fill(user.email);
  await page.getByLabel("Password").fill("not the right one 7391");
  await page.getByLabel("Remember me").check();
  await page.getByRole("button", { name: "Log in", exact: true }).click();

  await expect(page.getByRole("alert")).toHaveText("Email or password is incorrect.");
  await expect(page.getByLabel("Email")).toHaveValue(user.email);
  await expect(page.getByLabel("Remember me")).toBeChecked();
  await expect(page.getByLabel("Password")).toHaveValue("");
  expect(await page.content()).not.toContain("7391");

  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Log in", exact: true }).click();
  await expect(page).toHaveURL("/settings/devices");
});

test("errors are shown beside their fields", async ({ loggedIn }) => {
  await loggedIn.goto("/settings/profile");
  await loggedIn.getByLabel("Name").fill(" ");
  await loggedIn.getByRole("button", { name: "Save" }).click();
  await expect(loggedIn.getByLabel("Name")).toHaveAttribute("aria-invalid", "true");
  await expect(loggedIn.getByLabel("Name")).toHaveAccessibleDescription("Enter your name.");

  await loggedIn.getByLabel("Name").fill("Renamed Without Script");
  await loggedIn.getByRole("button", { name: "Save" }).click();
  await expect(loggedIn.getByRole("status")).toBeVisible();
  await expect(loggedIn.getByLabel("Name")).toHaveValue("Renamed Without Script");
});

test("end one device, then the others", async ({ loggedIn, user, logInElsewhere }) => {
  const phone = await logInElsewhere(user, { userAgent: IPHONE });
  const tablet = await logInElsewhere(user);

  await loggedIn.goto("/settings/devices");
  await loggedIn.getByRole("button", { name: "Log out Safari on iPhone" }).click();
  await expect(loggedIn.getByRole("status")).toHaveText("That device is logged out.");
  await phone.goto("/dashboard");
  await expect(phone).toHaveURL(/\/login/);
  await tablet.goto("/dashboard");
  await expect(tablet).toHaveURL("/dashboard");

  await loggedIn.getByRole("button", { name: "Log out other devices" }).click();
  await expect(loggedIn.getByRole("status")).toHaveText("All other devices are logged out.");
  await tablet.goto("/dashboard");
  await expect(tablet).toHaveURL(/\/login/);
  await loggedIn.goto("/dashboard");
  await expect(loggedIn).toHaveURL("/dashboard");
});

test("log out everywhere asks first", async ({ loggedIn, user, logInElsewhere }) => {
  const phone = await logInElsewhere(user, { userAgent: IPHONE });
  await loggedIn.goto("/settings/devices");
  const question = loggedIn.getByRole("dialog", { name: "Log out everywhere?" });
  await expect(question).toBeHidden();

  await loggedIn.getByRole("button", { name: "Log out everywhere" }).click();
  await expect(question).toBeVisible();
  await question.getByRole("button", { name: "Cancel" }).click();
  await expect(question).toBeHidden();
  await phone.goto("/dashboard");
  await expect(phone).toHaveURL("/dashboard");

  await loggedIn.getByRole("button", { name: "Log out everywhere" }).click();
  await question.getByRole("button", { name: /everywhere/ }).click();
  await expect(loggedIn).toHaveURL("/login?notice=logged-out-everywhere");
  await phone.goto("/dashboard");
  await expect(phone).toHaveURL(/\/login/);
});

test("no button that needs JavaScript is shown: the theme is the system's", async ({ page }) => {
  for (const path of ["/", "/login"]) {
    await page.goto(path);
    await expect(page.getByRole("link", { name: "API" })).toBeVisible();
    await expect(page.getByRole("button", { name: "Dark theme" })).toBeHidden();
  }
});

const IPHONE =
  "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1";
