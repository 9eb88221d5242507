import type { Page } from "@playwright/test";
import { addAuthenticator } from "@/tests/support/authenticator";
import { expect, expectLoggedIn, test } from "@/tests/support/end-to-end";

async function addPasskey(page: Page): Promise<void> {
  await page.goto("/settings/passkeys");
  await page.getByRole("button", { name: "Add a passkey" }).click();
  await expect(page.getByText("The passkey was added.")).toBeVisible();
}

async function logOut(page: Page): Promise<void> {
  await page.getByRole("button", { name: "Log out", exact: true }).first().click();
  await expect(page).toHaveURL(/\/login/);
}

test("add a passkey, log out, log in with it by the button", async ({ loggedIn: page }) => {
  const authenticator = await addAuthenticator(page);
  await addPasskey(page);
  await expect(page.getByText("Synced")).toBeVisible();
  expect(await authenticator.credentials()).toHaveLength(1);
  await authenticator.wait(); // else the login page's suggestions log in at once
  await page.goto("/dashboard");
  await logOut(page);
  await authenticator.answer();
  await page.getByRole("button", { name: "Log in with a passkey" }).click();
  await expect(page).toHaveURL("/dashboard");
  await expectLoggedIn(page);
});
