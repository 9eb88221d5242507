import type { Page } from "@playwright/test";
import { addAuthenticator } from "@/tests/support/authenticator";
import {
  askForReset,
  expect,
  expectLoggedIn,
  expectLoggedOut,
  linkIn,
  logIn,
  pressPasskey,
  test,
} from "@/tests/support/end-to-end";
import { createUser, newPassword, password } from "@/tests/support/users";

async function addPasskey(page: Page): Promise<void> {
  await page.goto("/settings/passkeys");
  await pressPasskey(page, "Add a passkey");
  await expect(page.getByText("The passkey was added.")).toBeVisible();
}

async function logOut(page: Page): Promise<void> {
  await page.goto("/dashboard");
  await page.getByRole("button", { name: "Log out", exact: true }).first().click();
  await expect(page).toHaveURL(/\/login/);
}

/**
 * Turns off passkey suggestions. The authenticator responds at once, so a suggestion would log in
 * before a button is pressed.
 */
async function withoutSuggestions(page: Page): Promise<void> {
  await page.addInitScript(() => {
    PublicKeyCredential.isConditionalMediationAvailable = async () => false;
  });
}

test("add a passkey, log out, log in with it by the button, and see it on the devices page", async ({
  loggedIn: page,
}) => {
  // As some password managers break it.
  await page.addInitScript(() => {
    PublicKeyCredential.prototype.toJSON = () => {
      throw new Error("toJSON is broken.");
    };
  });
  const authenticator = await addAuthenticator(page);
  await addPasskey(page);
  await expect(page.getByText("Synced")).toBeVisible();
  expect(await authenticator.credentials()).toHaveLength(1);

  await page.getByText("Rename Passkey").click();
  await page.getByLabel("New name").fill("My phone");
  await page.getByRole("button", { name: "Save name" }).click();
  await expect(page.getByRole("heading", { name: "My phone" })).toBeVisible();

  await withoutSuggestions(page);
  await logOut(page);
  await page.getByLabel("Remember me").check();
  await pressPasskey(page, "Log in with a passkey");
  await expect(page).toHaveURL("/dashboard");
  await page.goto("/settings/devices");
  await expect(page.getByText("Passkey “My phone”, web, remembered")).toBeVisible();
});

test("log in by the suggestions of the email field, without a click", async ({
  loggedIn: page,
}) => {
  await addAuthenticator(page);
  await addPasskey(page);
  await logOut(page);
  await expect(page).toHaveURL("/dashboard");
  await page.goto("/settings/devices");
  await expect(page.getByText("Passkey “Passkey”, web")).toBeVisible();
});

test("a passkey of another host gets another message than one that was not confirmed", async ({
  page,
}) => {
  await page.addInitScript(() => {
    navigator.credentials.get = async () => {
      throw new DOMException("The RP ID is not of this site.", "SecurityError");
    };
  });
  await page.goto("/login");
  await pressPasskey(page, "Log in with a passkey");
  await expect(
    page.getByText("This passkey belongs to another address of this site."),
  ).toBeVisible();
});

test("the button replaces the suggestions; after a cancellation the page says so, and they return", async ({
  page,
}) => {
  await page.addInitScript(() => {
    const window = globalThis as typeof globalThis & { asked: string[]; answer?: () => void };
    window.asked = [];
    // The browser responds after the press.
    PublicKeyCredential.isConditionalMediationAvailable = () =>
      new Promise((resolve) => {
        window.answer = () => resolve(true);
      });
    navigator.credentials.get = async ({ mediation = "optional" } = {}) => {
      window.asked.push(mediation);
      if (mediation === "conditional") return new Promise(() => {});
      window.answer?.();
      // By the second frame, all code that waited for the response has continued.
      await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
      window.asked.push("cancelled");
      PublicKeyCredential.isConditionalMediationAvailable = async () => true;
      throw new DOMException("Cancelled.", "NotAllowedError");
    };
  });
  const asked = () => page.evaluate(() => (globalThis as unknown as { asked: string[] }).asked);
  await page.goto("/login");
  await pressPasskey(page, "Log in with a passkey");
  await expect.poll(asked).toEqual(["optional", "cancelled", "conditional"]);
  await expect(page.getByText("Nothing was confirmed.")).toBeVisible();
});

test("after a change, the authenticator is told which passkeys work, but not by an outdated page", async ({
  loggedIn: page,
}) => {
  await page.addInitScript(() => {
    const told: string[] = [];
    Object.assign(globalThis, { told });
    Object.assign(PublicKeyCredential, {
      signalAllAcceptedCredentials: async (list: { allAcceptedCredentialIds: string[] }) => {
        told.push(`${list.allAcceptedCredentialIds.length}`);
      },
      signalCurrentUserDetails: async () => void told.push("details"),
    });
  });
  const told = () => page.evaluate(() => (globalThis as unknown as { told: string[] }).told);
  await addAuthenticator(page);
  await addPasskey(page);
  await expect.poll(told).toContain("1");
  await page.getByRole("button", { name: "Remove Passkey" }).click();
  await expect(page.getByText("The passkey was removed.")).toBeVisible();
  await expect.poll(async () => (await told()).includes("0")).toBe(true);

  const before = (await told()).length;
  await page.goBack();
  await expect(page.getByText("The passkey was added.")).toBeVisible();
  await expect.poll(async () => (await told()).length).toBeGreaterThan(before);
  expect((await told()).slice(before)).not.toContain("1");
  await page.goto("/settings/passkeys");
  await expect.poll(told).toEqual(["details"]);
});

test("sign up with a passkey, and log in without typing", async ({
  elsewhere,
  mailTo,
  connection: { sql },
}) => {
  const page = await elsewhere();
  const authenticator = await addAuthenticator(page);
  const email = `passkey-${Date.now()}@example.com`;
  await page.goto("/signup");
  await page.getByLabel("Email").fill(email);
  await page.getByRole("button", { name: "Continue" }).click();
  await page.goto(linkIn(await mailTo(email)));
  await page.getByLabel("Name").fill("Grace");
  await page.getByRole("link", { name: "Use a passkey instead" }).click();
  await expect(page.getByRole("link", { name: "Use a password instead" })).toBeVisible();
  await expect(page.getByLabel("Name")).toHaveValue("Grace");
  await page.getByLabel("Name").clear();
  await pressPasskey(page, "Create account with a passkey");
  expect(await authenticator.credentials()).toEqual([]); // the name is missing
  await page.getByLabel("Name").fill("Grace Walker");
  await page.getByLabel("Name").press("Enter");
  await expect(page.getByText("Use the button that asks for your passkey.")).toBeVisible();
  await expect(page.getByLabel("Name")).toHaveValue("Grace Walker");
  await pressPasskey(page, "Create account with a passkey");
  await expect(page).toHaveURL("/dashboard");
  expect(
    await sql`select from passwords join users on users.id = user_id
    where email = ${email}`,
  ).toHaveLength(0);
  await logOut(page);
  await expect(page).toHaveURL("/dashboard");

  // The only way to log in stays until there is another one.
  await page.goto("/settings/passkeys");
  await expect(page.getByText("This is your only way to log in.")).toBeVisible();
  await page.getByRole("link", { name: "Set a password first" }).click();
  await page.getByLabel("New password").fill(newPassword);
  await page.getByRole("button", { name: "Set a password" }).click();
  await expect(page.getByText("Your password is set.")).toBeVisible();
  await page.getByRole("button", { name: "Remove password" }).click();
  await expect(page.getByText("Your password is removed.")).toBeVisible();
  await expectLoggedIn(page);
});

test("confirm by passkey", async ({ loggedIn: page, user, connection: { sql } }) => {
  const authenticator = await addAuthenticator(page);
  await addPasskey(page);
  await sql`update sessions set authenticated_at = now() - interval '1 day'
    where user_id = ${user.id}`;
  await page.goto("/settings/passkeys");
  await page.getByRole("link", { name: "Confirm that it is you first" }).click();
  await authenticator.refuse();
  await pressPasskey(page, "Confirm with a passkey");
  await expect(page.getByText("Nothing was confirmed.")).toBeVisible();
  await authenticator.fit();
  await pressPasskey(page, "Confirm with a passkey");
  await expect(page).toHaveURL("/settings/passkeys");
  await pressPasskey(page, "Add a passkey");
  await expect(page.getByText("already has a passkey of your account")).toBeVisible();
});

test("a passkey is required only where a password is not enough", async ({
  loggedIn: page,
  user,
  connection: { sql },
}) => {
  await addAuthenticator(page);
  await addPasskey(page);
  await sql`update sessions set last_proof = '{pwd}' where user_id = ${user.id}`;
  await page.goto("/confirm?next=/settings/devices");
  await expect(page).toHaveURL("/settings/devices");
  await page.goto("/settings/passkeys");
  await page.getByRole("link", { name: "Confirm that it is you first" }).click();
  await expect(page.getByText("Your password is not enough for that.")).toBeVisible();
  await pressPasskey(page, "Confirm with a passkey");
  await expect(page).toHaveURL("/settings/passkeys");
});

test("removing a passkey ends the sessions it began, and removes it from its authenticator", async ({
  loggedIn: page,
  user,
  logInElsewhere,
}) => {
  const other = await logInElsewhere(user);
  const authenticator = await addAuthenticator(page);
  await addPasskey(page);
  await logOut(page);
  await expect(page).toHaveURL("/dashboard");

  await other.goto("/settings/passkeys");
  await other.getByRole("button", { name: "Remove Passkey" }).click();
  await expect(other.getByText("The passkey was removed.")).toBeVisible();
  await withoutSuggestions(page);
  await expectLoggedOut(page);
  await pressPasskey(page, "Log in with a passkey");
  await expect(page.getByText("This passkey is not known here.")).toBeVisible();
  await expect.poll(() => authenticator.credentials()).toEqual([]);
  await logIn(page, user.email, password);
  await expect(page).toHaveURL("/dashboard");
});

test("a copied passkey is refused, and its owner told", async ({
  loggedIn: page,
  user,
  mailTo,
  connection: { sql },
}) => {
  const authenticator = await addAuthenticator(page);
  await addPasskey(page);
  await mailTo(user.email);
  await sql`update passkeys set sign_count = 1000 where user_id = ${user.id}`;
  await withoutSuggestions(page);
  await logOut(page);
  await pressPasskey(page, "Log in with a passkey");
  await expect(page.getByText("it seems to have been copied")).toBeVisible();
  const text = async () => (await mailTo(user.email)).text;
  await expect.poll(text).toContain("suggests that it was copied");
  expect(await authenticator.credentials()).toHaveLength(1); // known, so no signal is sent
});

test("an administrator with a passkey can open the administration", async ({
  logInElsewhere,
  connection,
}) => {
  const admin = await createUser(connection.db, { role: "admin" });
  const page = await logInElsewhere(admin);
  await connection.sql`update sessions set last_proof = '{pwd}' where user_id = ${admin.id}`;
  await addAuthenticator(page);
  await page.goto("/admin/users");
  await expect(page.getByText("Administrators need a passkey or two-factor.")).toBeVisible();
  await addPasskey(page);
  await page.goto("/admin/users");
  await pressPasskey(page, "Confirm with a passkey");
  await expect(page.getByRole("heading", { name: "Users" })).toBeVisible();
});

test("a password reset asks for the reason, and after an attack removes the passkeys; without JavaScript", async ({
  loggedIn: page,
  user,
  elsewhere,
  mailTo,
  connection: { sql },
}) => {
  await addAuthenticator(page);
  await addPasskey(page);
  await mailTo(user.email);
  const other = await elsewhere({ javaScriptEnabled: false });
  await other.goto("/login");
  await expect(other.getByRole("button", { name: "Log in with a passkey" })).toBeHidden();
  await askForReset(other, user.email);
  const subject = async () => (await mailTo(user.email)).subject;
  await expect.poll(subject).toBe("Choose a new password");
  await other.goto(linkIn(await mailTo(user.email)));
  await expect(other.getByLabel("I forgot it")).toBeChecked();
  await other.getByLabel("Somebody else may have got in").check();
  await other.getByLabel("New password").fill(newPassword);
  await other.getByRole("button", { name: "Set new password" }).click();
  await expect(other.getByText("Your new password is set.")).toBeVisible();
  expect(await sql`select from passkeys where user_id = ${user.id}`).toHaveLength(0);
});

test("password managers find the page of passkeys", async ({ request, app: { origin } }) => {
  const found = await request.get("/.well-known/passkey-endpoints");
  const page = `${origin}/settings/passkeys`;
  expect(await found.json()).toEqual({ enroll: page, manage: page });
  expect((await request.get("/.well-known/webauthn")).status()).toBe(404);
});
