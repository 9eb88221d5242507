import { mkdir } from "node:fs/promises";
import path from "node:path";
import { type Browser, chromium } from "@playwright/test";
import { eq } from "drizzle-orm";
import { hashPassword } from "@/lib/auth/credentials/passwords";
import { createLink, type LinkPurpose } from "@/lib/auth/links";
import { createSignUp } from "@/lib/auth/sign-up-links";
import { connect } from "@/lib/db/client";
import { users } from "@/lib/db/schema/users";
import { demoUsers, seed } from "@/lib/dev/seed";
import { startApp } from "./support/app";
import { ensureBrowser } from "./support/browser";
import { startTestServer } from "./support/postgres";

/*
 * `npm run screenshots` takes the README's pictures from the running production build;
 * `npm run screenshots -- <directory>` takes every page, narrow and wide, light and dark, to be
 * looked at after a change.
 */

const everything = process.argv[2];
const readmePages = { dashboard: "/dashboard", devices: "/settings/devices" };

const postgres = await startTestServer();
const databaseUrl = await postgres.createDatabase("screenshots");
await seed(databaseUrl, hashPassword);
const app = await startApp(databaseUrl);
const browser = await chromium.launch({
  executablePath: ensureBrowser(),
  args: ["--no-sandbox", "--disable-quic", "--disable-background-networking"],
});
try {
  if (everything) await takeEveryPage(browser, everything);
  else await takeReadme(browser, ".github/screenshots");
} finally {
  await browser.close();
  await app.stop();
  await postgres.stop();
}

async function takeReadme(browser: Browser, directory: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  for (const colorScheme of ["light", "dark"] as const) {
    const page = await open(browser, colorScheme, { width: 1120, height: 700 });
    await logIn(page);
    for (const [name, address] of Object.entries(readmePages)) {
      await page.goto(address);
      await page.screenshot({ path: path.join(directory, `${name}-${colorScheme}.png`) });
    }
    await page.context().close();
  }
}

async function takeEveryPage(browser: Browser, directory: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  const { db, sql } = connect(databaseUrl, { max: 1 });
  const token = await createSignUp(db, "new.user@example.com");
  const [demo] = await db.select().from(users).where(eq(users.email, demoUsers[0].email));
  const link = (purpose: LinkPurpose) =>
    createLink(db, { userId: demo?.id ?? "", purpose, sentTo: "demo@example.com" });
  const anonymous = {
    landing: "/",
    login: "/login?notice=logged-out",
    signup: "/signup",
    "check-your-email": "/signup?notice=check-your-email",
    "create-account": `/signup/${token}`,
    "dead-link": "/signup/none",
    "forgot-password": "/forgot-password",
    "check-your-email-reset": "/forgot-password?notice=check-your-email",
    "reset-password": `/reset-password/${await link("password-reset")}`,
    "confirm-browser": "/confirm-browser",
    "confirm-browser-link": `/confirm-browser/${await link("confirm-browser")}`,
    "change-email": `/change-email/${await link("email-change")}`,
    "restore-email": `/restore-email/${await link("email-restore")}`,
    "not-me": `/not-me/${await link("not-me")}`,
    "docs-api": "/docs/api",
    "not-found": "/nowhere",
  };
  const loggedIn = {
    dashboard: "/dashboard",
    profile: "/settings/profile?notice=saved",
    password: "/settings/password?notice=password-changed",
    activity: "/settings/activity",
    "api-keys-none": "/settings/api-keys",
    devices: "/settings/devices?notice=device-logged-out",
  };
  const [suspended] = await db.select().from(users).where(eq(users.status, "suspended")).limit(1);
  const administration = {
    users: "/admin/users",
    "users-found": "/admin/users?q=li",
    "users-none": "/admin/users?q=nobody&status=suspended",
    user: `/admin/users/${demo?.id}`,
    "user-suspended": `/admin/users/${suspended?.id}`,
    audit: "/admin/audit",
  };
  for (const colorScheme of ["light", "dark"] as const) {
    for (const width of [375, 1280]) {
      const page = await open(browser, colorScheme, { width, height: 800 });
      const shoot = async (name: string) =>
        page.screenshot({
          path: path.join(directory, `${name}-${width}-${colorScheme}.png`),
          fullPage: true,
        });
      for (const [name, address] of Object.entries(anonymous)) {
        await page.goto(address);
        await shoot(name);
      }
      await page.goto("/login");
      await page.getByLabel("Email").fill("someone@example.com");
      await page.getByLabel("Password").fill("a wrong password");
      await page.getByRole("button", { name: "Log in" }).click();
      await page.getByText("Email or password is incorrect.").waitFor();
      await shoot("login-refused");
      await logIn(page);
      for (const [name, address] of Object.entries(loggedIn)) {
        await page.goto(address);
        await shoot(name);
      }
      await page.goto("/settings/api-keys");
      await page.getByLabel("Name").fill("Nightly backup");
      await page.getByLabel("profile:read").check();
      await page.getByRole("button", { name: "Create key" }).click();
      await page.getByText("Your new key").waitFor();
      await shoot("api-keys-new");
      await page.goto("/settings/api-keys");
      await shoot("api-keys");
      await page.getByRole("button", { name: "Revoke Nightly backup" }).click();
      await page.waitForURL("**/settings/api-keys?notice=*");
      await page.goto("/settings/devices");
      await page.getByRole("button", { name: "Log out everywhere" }).click();
      await shoot("everywhere");
      await sql`update sessions set authenticated_at = now() - interval '1 day'`;
      await page.goto("/confirm?next=/settings/devices");
      await shoot("confirm");
      await page.context().close();
      const admin = await open(browser, colorScheme, { width, height: 800 });
      await logIn(admin, demoUsers[1]);
      for (const [name, address] of Object.entries(administration)) {
        await admin.goto(address);
        await admin.screenshot({
          path: path.join(directory, `${name}-${width}-${colorScheme}.png`),
          fullPage: true,
        });
      }
      await admin.context().close();
    }
  }
  await sql.end();
}

async function open(
  browser: Browser,
  colorScheme: "light" | "dark",
  viewport: { width: number; height: number },
) {
  const context = await browser.newContext({
    baseURL: app.origin,
    ignoreHTTPSErrors: true,
    colorScheme,
    viewport,
    extraHTTPHeaders: { "x-forwarded-for": "203.0.113.80" },
    userAgent:
      "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0 Safari/537.36",
  });
  return context.newPage();
}

async function logIn(
  page: Awaited<ReturnType<typeof open>>,
  who: (typeof demoUsers)[number] = demoUsers[0],
): Promise<void> {
  await page.goto("/login");
  await page.getByLabel("Email").fill(who.email);
  await page.getByLabel("Password").fill(who.password);
  await page.getByRole("button", { name: "Log in" }).click();
  await page.waitForURL("**/dashboard");
}
