import { expect, test } from "@/tests/support/end-to-end";
import { password } from "@/tests/support/users";

test("the first tab stop skips the navigation", async ({ loggedIn }) => {
  await loggedIn.goto("/dashboard");
  await loggedIn.keyboard.press("Tab");
  const skip = loggedIn.getByRole("link", { name: "Skip to content" });
  await expect(skip).toBeFocused();
  await expect(skip).toBeInViewport();
  await loggedIn.keyboard.press("Enter");
  await loggedIn.keyboard.press("Tab");
  await expect(loggedIn.locator("main :focus")).toHaveCount(1);
});

test("a not-found page is shown in the shell, with one header and one main part", async ({
  loggedIn,
}) => {
  await loggedIn.goto("/t/nothing");
  await expect(loggedIn.getByRole("heading", { name: "Page not found" })).toBeVisible();
  await expect(loggedIn.getByRole("banner")).toHaveCount(1);
  await expect(loggedIn.getByRole("main")).toHaveCount(1);
  await loggedIn.getByRole("link", { name: "Go to the dashboard" }).click();
  await expect(loggedIn).toHaveURL("/dashboard");
});

test("log in with the keyboard alone", async ({ page, user }) => {
  await page.goto("/login");
  await page.getByLabel("Email").focus();
  await page.keyboard.type(user.email);
  await page.keyboard.press("Tab");
  await expect(page.getByLabel("Password")).toBeFocused();
  await page.keyboard.type(password);
  await page.keyboard.press("Tab");
  await expect(page.getByRole("button", { name: "Show characters" })).toBeFocused();
  await page.keyboard.press("Tab");
  await expect(page.getByLabel("Remember me")).toBeFocused();
  await page.keyboard.press("Space");
  await page.keyboard.press("Tab");
  await expect(page.getByRole("button", { name: "Log in", exact: true })).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL("/dashboard");
});

test("after an error the focus is on its field, or on the message of the form", async ({
  page,
  loggedIn,
}) => {
  await loggedIn.goto("/settings/profile");
  await loggedIn.getByLabel("Name").fill(" ");
  await loggedIn.keyboard.press("Enter");
  await expect(loggedIn.getByLabel("Name")).toHaveAttribute("aria-invalid", "true");
  await expect(loggedIn.getByLabel("Name")).toBeFocused();

  await page.goto("/login");
  await page.getByLabel("Email").fill("unknown@example.com");
  await page.getByLabel("Password").fill("wrong");
  await page.keyboard.press("Enter");
  await expect(page.getByText("Email or password is incorrect.")).toBeFocused();
});

test("Escape closes the dialog, and the focus returns to its button", async ({ loggedIn }) => {
  await loggedIn.goto("/settings/devices");
  const button = loggedIn.getByRole("button", { name: "Log out everywhere" });
  await button.focus();
  await loggedIn.keyboard.press("Enter");
  const question = loggedIn.getByRole("dialog", { name: "Log out everywhere?" });
  await expect(question).toBeVisible();
  await loggedIn.keyboard.press("Tab");
  await expect(question.getByRole("button").first()).toBeFocused();
  await loggedIn.keyboard.press("Escape");
  await expect(question).toBeHidden();
  await expect(button).toBeFocused();
});
