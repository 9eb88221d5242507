import type { Page } from "@playwright/test";
import { sudoPolicy } from "@/lib/auth/policy";
import { product } from "@/lib/product";
import { span } from "@/tests/support/ages";
import { createKey } from "@/tests/support/api-keys";
import { bothWays, expect, linkIn, test } from "@/tests/support/end-to-end";
import { createLogin, password } from "@/tests/support/users";

/** Creates a key. Fills in the name and checks one scope, and keeps the other defaults. */
async function create(page: Page, name: string): Promise<void> {
  await page.goto("/settings/api-keys");
  await page.getByLabel("Name").fill(name);
  await page.getByLabel("profile:read").check();
  await page.getByRole("button", { name: "Create key" }).click();
}

async function keyIn(page: Page): Promise<string> {
  const shown = page.getByRole("status").filter({ hasText: "Your new key" }).locator("code");
  return `${await shown.textContent()}`;
}

for (const { javaScriptEnabled, how } of bothWays) {
  test(`a key is made, shown once, used, and revoked${how}`, async ({
    user,
    logInElsewhere,
    request,
    mailTo,
  }) => {
    const page = await logInElsewhere(user, { javaScriptEnabled });
    await page.goto("/settings/api-keys");
    await expect(page.getByText("You have no keys yet.")).toBeVisible();
    await create(page, "Nightly backup");
    const key = await keyIn(page);
    expect(key).toMatch(new RegExp(`^${product.apiKeyPrefix}[0-9A-Za-z]{38}$`));
    expect(linkIn(await mailTo(user.email))).toContain("/settings/api-keys");

    // Open the URL again: reloading the POST would create another key.
    await page.goto("/settings/api-keys");
    const row = page.getByRole("listitem").filter({ hasText: "Nightly backup" });
    await expect(row).toContainText(key.slice(0, 12));
    await expect(row).toContainText("profile:read");
    await expect(row).toContainText("Never"); // used
    expect(await page.content()).not.toContain(key.slice(12));

    const headers = { authorization: `Bearer ${key}` };
    const me = await request.get("/api/v1/me", { headers });
    expect(await me.json()).toMatchObject({
      email: user.email,
      api_key: { scopes: ["profile:read"] },
    });
    await page.goto("/settings/api-keys");
    await expect(row).toContainText("just now");

    await page.getByRole("button", { name: "Revoke Nightly backup" }).click();
    await expect(page).toHaveURL("/settings/api-keys?notice=key-revoked");
    await expect(page.getByText("You have no keys yet.")).toBeVisible();
    const after = await request.get("/api/v1/me", { headers });
    expect(after.status()).toBe(401);
    expect(after.headers()["www-authenticate"]).toContain("Bearer");
    await page.goto("/settings/activity");
    await expect(page.getByText("An API key was created")).toBeVisible();
    await expect(page.getByText("An API key was revoked")).toBeVisible();
  });

  test(`a form sent after the proof expired is shown again after the password, with its values${how}`, async ({
    user,
    logInElsewhere,
    connection: { sql },
  }) => {
    const page = await logInElsewhere(user, { javaScriptEnabled });
    await page.goto("/settings/api-keys");
    await page.getByLabel("Name").fill("Deployment");
    await page.getByLabel("sessions:read").check();
    await page.getByLabel("Expires").selectOption("365");
    await sql`
      update sessions set authenticated_at = now() - ${span(sudoPolicy.submit)}::interval
      where user_id = ${user.id}`;
    await page.getByRole("button", { name: "Create key" }).click();
    await expect(page).toHaveURL("/confirm?next=%2Fsettings%2Fapi-keys");
    expect(await sql`select from api_keys where user_id = ${user.id}`).toHaveLength(0);
    await page.getByLabel("Password").fill(password);
    await page.getByRole("button", { name: "Confirm" }).click();

    await expect(page).toHaveURL("/settings/api-keys");
    await expect(page.getByLabel("Name")).toHaveValue("Deployment");
    await expect(page.getByLabel("sessions:read")).toBeChecked();
    await expect(page.getByLabel("profile:read")).not.toBeChecked();
    await expect(page.getByLabel("Expires")).toHaveValue("365");
    await page.getByRole("button", { name: "Create key" }).click();
    expect(await keyIn(page)).toContain(product.apiKeyPrefix);
    const [row] = await sql`select name, scopes from api_keys where user_id = ${user.id}`;
    expect(row).toEqual({ name: "Deployment", scopes: ["sessions:read"] });
  });

  test(`a key without scopes is refused, and the form keeps its values${how}`, async ({
    user,
    logInElsewhere,
    connection: { sql },
  }) => {
    const page = await logInElsewhere(user, { javaScriptEnabled });
    await page.goto("/settings/api-keys");
    await page.getByLabel("Name").fill("Backup");
    await page.getByLabel("Expires").selectOption("none");
    await page.getByRole("button", { name: "Create key" }).click();
    await expect(page.getByLabel("profile:read")).toHaveAttribute("aria-invalid", "true");
    await expect(page.getByText("Choose at least one thing the key may do.")).toBeVisible();
    await expect(page.getByLabel("Name")).toHaveValue("Backup");
    await expect(page.getByLabel("Expires")).toHaveValue("none");
    expect(await sql`select from api_keys where user_id = ${user.id}`).toHaveLength(0);
  });
}

test("revoking a key never asks for the password", async ({
  loggedIn,
  user,
  connection: { db, sql },
}) => {
  await createKey(db, (await createLogin(db, user)).session, { name: "Old laptop" });
  await sql`
    update sessions set authenticated_at = now() - interval '1 day' where user_id = ${user.id}`;
  await loggedIn.goto("/settings/api-keys");
  await loggedIn.getByRole("button", { name: "Revoke Old laptop" }).click();
  await expect(loggedIn).toHaveURL("/settings/api-keys?notice=key-revoked");
  expect(await sql`select from api_keys where user_id = ${user.id}`).toHaveLength(0);
});

test("the new key can be copied", async ({ user, logInElsewhere }) => {
  const page = await logInElsewhere(user, { permissions: ["clipboard-read", "clipboard-write"] });
  await create(page, "Backup");
  await page.getByRole("button", { name: "Copy" }).click();
  await expect(page.getByRole("button", { name: "Copied" })).toBeVisible();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(await keyIn(page));
});

test("an expired key is shown as expired", async ({ loggedIn, user, connection: { db, sql } }) => {
  await createKey(db, (await createLogin(db, user)).session, { name: "Trial", lifetime: 30 });
  await sql`update api_keys set expires_at = now() - interval '1 day' where user_id = ${user.id}`;
  await loggedIn.goto("/settings/api-keys");
  await expect(loggedIn.getByRole("listitem").filter({ hasText: "Trial" })).toContainText(
    "Expired",
  );
});
