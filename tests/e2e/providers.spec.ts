import { readFile } from "node:fs/promises";
import type { Page } from "@playwright/test";
import { type Connection, connect } from "@/lib/db/client";
import type { OpenidProvider } from "@/lib/dev/openid";
import { minutes } from "@/lib/time";
import { type App, startApp } from "@/tests/support/app";
import {
  test as base,
  bothWays,
  expect,
  expectLoggedIn,
  expectLoggedOut,
  githubEnv,
  linkIn,
  logIn,
  thorough,
} from "@/tests/support/end-to-end";
import { httpClient } from "@/tests/support/http-client";
import { startTestProvider } from "@/tests/support/oidc-provider";
import { startProviderProcess } from "@/tests/support/provider-process";
import { receivedMail } from "@/tests/support/smtp";
import { addTwoFactor } from "@/tests/support/two-factor";
import { createUser, password } from "@/tests/support/users";

/* Logins with a certified OpenID provider and a fake GitHub, each a process on this machine. */

type Here = { site: App; oidc: OpenidProvider; rows: Connection };

// A click that finds no element fails before the test's own timeout.
base.use({ actionTimeout: minutes(1) });

const test = base.extend<object, { here: Here }>({
  // An app with both providers. The OpenID provider has the app's URL in its client's registration.
  here: [
    async ({ newDatabase, github }, use) => {
      const { site, oidc } = await startSite(await newDatabase(), githubEnv(github));
      const rows = connect(site.databaseUrl, { max: 2 });
      await use({ site, oidc, rows });
      await rows.sql.end();
      await site.stop();
      await oidc.stop();
    },
    { scope: "worker", timeout: minutes(5) },
  ],
  baseURL: async ({ here }, use) => use(here.site.origin),
});

/** Starts the site and the provider. Each must know the other's URL; the site's is known first. */
async function startSite(databaseUrl: string, env: Record<string, string>) {
  let oidc: OpenidProvider | undefined;
  const site = await startApp(databaseUrl, {
    env: async (appUrl) => {
      oidc = await startTestProvider(appUrl);
      return { ...env, ...oidc.env, OIDC_NAME: "Acme", OIDC_DOMAINS: "example.com" };
    },
  });
  if (!oidc) throw new Error("The OpenID provider was not started.");
  return { site, oidc };
}

let made = 0;
const newName = () => `ada${process.pid}x${made++}`;

/** Fills in the OpenID provider's pages: the login, and the consent, required once per browser. */
async function logInAtAcme(page: Page, name: string, consent = true): Promise<void> {
  await page.waitForURL(/127\.0\.0\.1.*\/interaction\//);
  await page.locator("[name=login]").fill(name);
  await page.locator("[name=password]").fill("anything");
  await page.locator("[type=submit]").click();
  if (!consent) return;
  await page.getByText("Authorize").first().waitFor();
  await page.locator("[type=submit]").click();
}

async function logInByPassword(page: Page, email: string): Promise<void> {
  await logIn(page, email, password);
  await expect(page).toHaveURL("/dashboard");
}

async function continueWith(page: Page, name: string): Promise<void> {
  await page.goto("/login");
  await page.getByRole("button", { name: `Continue with ${name}` }).click();
}

/** Goes to GitHub but does not follow its response. Returns the URL of the return. */
async function stopAtGithub(page: Page, button: string): Promise<string> {
  let asked = "";
  await page.route("**/login/oauth/authorize?*", (route) => {
    asked = route.request().url();
    return route.fulfill({ status: 204 }); // the page stays where it is
  });
  await page.getByRole("button", { name: button }).click();
  await expect.poll(() => asked).not.toBe("");
  await page.unrouteAll();
  const { headers } = await fetch(asked, { redirect: "manual" });
  return `${headers.get("location")}`;
}

for (const { javaScriptEnabled, how } of bothWays) {
  test(`sign up and log in with a provider that assigns the email${how}`, async ({ elsewhere }) => {
    const name = newName();
    const page = await elsewhere({ javaScriptEnabled });
    await page.goto("/signup");
    await page.getByRole("button", { name: "Sign up with Acme" }).click();
    await logInAtAcme(page, name);
    await expect(page).toHaveURL("/dashboard");
    await expect(page.getByText(`You are logged in as ${name}@example.com.`)).toBeVisible();
    await page.getByRole("button", { name: "Log out" }).click();

    // The form determines the page after the login and how long the session lasts.
    await page.goto("/login?next=/settings/devices");
    await page.getByLabel("Remember me").check();
    await page.getByRole("button", { name: "Continue with Acme" }).click();
    await expect(page).toHaveURL("/settings/devices");
    const method = `Single sign-on (${name}@example.com), web, remembered`;
    await expect(page.getByText(method)).toBeVisible();
  });
}

// Otherwise another site could start a login or a connection with a link (CVE-2015-9284).
test("a link cannot start a login or a connection at a provider", async ({
  here: { rows, site },
}) => {
  const visits = async () => (await rows.sql`select from provider_visits`).length;
  const before = await visits();
  for (const purpose of ["log-in", "connect", "confirm"]) {
    const answer = await httpClient(site).get(`/with/oidc?purpose=${purpose}&next=/dashboard`);
    expect([answer.status, answer.setCookie]).toEqual([405, []]);
  }
  expect(await visits()).toBe(before);
});

test("an equal email connects nothing: the owner logs in, connects, and can then log in by the provider", async ({
  here: { rows, site },
  elsewhere,
  page,
}) => {
  const name = newName();
  const user = await createUser(rows.db, { email: `${name}@example.com` });
  await continueWith(page, "Acme");
  await logInAtAcme(page, name);
  await expect(page.getByText("There is an account with this email. Log in")).toBeVisible();
  await expectLoggedOut(page);

  await logInByPassword(page, user.email);
  await page.goto("/settings/connected-accounts");
  await page.getByRole("button", { name: "Connect Acme" }).click();
  await expect(page.getByText("Acme is connected.")).toBeVisible();
  await expect(page.getByText(user.email)).toBeVisible();
  await expect
    .poll(async () => (await receivedMail(site.mails, user.email)).subject)
    .toBe("An account was connected");

  const other = await elsewhere();
  await continueWith(other, "Acme");
  await logInAtAcme(other, name);
  await expect(other).toHaveURL("/dashboard");

  // Disconnecting ends the session that the account started, and no other.
  await page.goto("/settings/connected-accounts");
  await page.getByRole("button", { name: "Disconnect Acme" }).click();
  await expect(page.getByText("The account is disconnected.")).toBeVisible();
  await expectLoggedOut(other);
  await expectLoggedIn(page);
});

test("a login at a provider also asks for the second factor", async ({ here: { rows }, page }) => {
  const name = newName();
  await continueWith(page, "Acme");
  await logInAtAcme(page, name);
  await expect(page).toHaveURL("/dashboard");
  const [user] = await rows.sql<{ id: string }[]>`
    select id from users where email = ${`${name}@example.com`}`;
  const app = await addTwoFactor(rows.db, { id: `${user?.id}` });
  await page.getByRole("button", { name: "Log out" }).click();

  await continueWith(page, "Acme");
  await expect(page).toHaveURL(/\/login\/code/);
  await expectLoggedOut(page);
  await page.goto("/login/code");
  await page.getByRole("textbox", { name: "Code" }).fill(app.code());
  await page.getByRole("button", { name: "Log in" }).click();
  await expect(page).toHaveURL("/dashboard");
  await page.goto("/settings/devices");
  await expect(page.getByText(/^Single sign-on \(.*\) and code, web$/)).toBeVisible();

  // Without a password, a confirmation asks for the code.
  await rows.sql`update sessions set authenticated_at = now() - interval '1 hour'`;
  await page.goto("/confirm?next=/settings/profile");
  await page.getByLabel("Code").fill(app.code(1));
  await page.getByRole("button", { name: "Confirm" }).click();
  await expect(page).toHaveURL("/settings/profile");
});

test("the only way to log in cannot be removed but can confirm; a password is set by mail", async ({
  here: { rows, site },
  page,
}) => {
  const name = newName();
  await continueWith(page, "Acme");
  await logInAtAcme(page, name);
  await expect(page).toHaveURL("/dashboard");
  await page.goto("/settings/connected-accounts");
  await rows.sql`update sessions set authenticated_at = now() - interval '1 hour'`;
  await page.getByRole("button", { name: "Disconnect Acme" }).click();
  await page.getByRole("button", { name: "Confirm with Acme" }).click();
  await logInAtAcme(page, name, false);
  await expect(page.getByText("Nothing has been done yet: press the button again.")).toBeVisible();
  await page.getByRole("button", { name: "Disconnect Acme" }).click();
  await expect(page.getByRole("alert").first()).toContainText("This is your only way to log in.");
  await page.getByRole("link", { name: "Set a password by email" }).click();
  await page.getByLabel("Email").fill(`${name}@example.com`);
  await page.getByRole("button", { name: "Send reset link" }).click();
  await page.goto(linkIn(await receivedMail(site.mails, `${name}@example.com`)));
  await page.getByLabel("Somebody else may have got in").check();
  await page.getByLabel("New password").fill(password);
  await page.getByRole("button", { name: "Set new password" }).click();
  await expect(page).toHaveURL("/login?notice=password-reset");
  await logInByPassword(page, `${name}@example.com`);
  await page.goto("/settings/connected-accounts");
  await expect(page.getByRole("button", { name: "Connect Acme", exact: true })).toBeVisible();
});

test("signing up with GitHub uses a mailed link, which connects the account only in the same browser", async ({
  here: { site },
  github,
  page,
  elsewhere,
}) => {
  const name = newName();
  const email = `${name}@example.com`;
  const octocat = { id: 1000 + made, login: name, name: "Octo Cat" };
  await github.tell({ ...octocat, emails: [{ email, primary: true, verified: true }] });
  await continueWith(page, "GitHub");
  await expect(page.getByRole("heading", { name: "Check your email" })).toBeVisible();
  const link = linkIn(await receivedMail(site.mails, email));

  const other = await elsewhere();
  await other.goto(link);
  await expect(other.getByLabel("Password")).toBeVisible();
  await expect(other.getByText(name, { exact: false }).first()).not.toContainText("able to log in");

  await page.goto(link);
  await expect(page.getByText(`GitHub account @${name} will be able to log in.`)).toBeVisible();
  await expect(page.getByLabel("Name")).toHaveValue("Octo Cat");
  await page.getByRole("button", { name: "Create account" }).click();
  await expect(page).toHaveURL("/dashboard");
  await page.getByRole("button", { name: "Log out" }).click();

  // The page looks the same for an email that has an account by now. Only the mail differs.
  await github.tell({
    ...octocat,
    id: 2000 + made,
    emails: [{ email, primary: true, verified: true }],
  });
  await continueWith(page, "GitHub");
  await expect(page).toHaveURL("/signup?notice=check-your-email");
  await expect
    .poll(async () => (await receivedMail(site.mails, email)).subject)
    .toBe("You already have an account");
  await expectLoggedOut(page);

  // GitHub users can rename themselves, but the id stays.
  await github.tell({ ...octocat, login: `${name}-renamed`, emails: [] });
  await continueWith(page, "GitHub");
  await expect(page).toHaveURL("/dashboard");
  await page.goto("/settings/connected-accounts");
  await expect(page.getByText(`@${name}-renamed`)).toBeVisible();
});

test(
  "the page says if GitHub is down, cancels or shares no email",
  thorough,
  async ({ here: { rows, site }, github, page }) => {
    const octocat = { id: 500, login: "octocat", emails: [] };
    const alert = page.getByRole("status").first();
    await github.tell({ ...octocat, cancels: true });
    await continueWith(page, "GitHub");
    await expect(alert).toHaveText("Nothing was confirmed at GitHub.");
    expect(await page.content()).not.toContain("alert(1)");
    await github.tell(octocat);
    await page.getByRole("button", { name: "Continue with GitHub" }).click();
    await expect(alert).toHaveText("GitHub shared no email. Sign up with your email.");
    await github.tell({ ...octocat, down: true });
    await page.getByRole("button", { name: "Continue with GitHub" }).click();
    await expect(alert).toHaveText("GitHub does not answer. Try again later, or another way.");

    const user = await createUser(rows.db);
    await logInByPassword(page, user.email);
    expect(await readFile(site.log, "utf8")).toContain("Login with github failed");
  },
);

test(
  "while a provider lies or is down, the other ways to log in work",
  thorough,
  async ({ newDatabase, elsewhere }) => {
    const lying = await startProviderProcess("lying-provider.ts");
    for (const [lie, sentence] of [
      ["wrong-signature", "The answer from Liar could not be verified. Try again, or another way."],
      ["failing", "Liar does not answer. Try again later, or another way."],
      ["silent-discovery", "Liar does not answer. Try again later, or another way."],
    ]) {
      const env = {
        ...{ OIDC_ISSUER: `${lying.origin}/${lie}`, OIDC_NAME: "Liar" },
        ...{ OIDC_CLIENT_ID: "client", OIDC_CLIENT_SECRET: "secret" },
      };
      const site = await startApp(await newDatabase(), { env });
      const rows = connect(site.databaseUrl, { max: 1 });
      const page = await elsewhere({ baseURL: site.origin });
      await continueWith(page, "Liar");
      await expect(page.getByRole("status").first()).toHaveText(`${sentence}`);
      const user = await createUser(rows.db);
      await logInByPassword(page, user.email);
      await page.context().close();
      await rows.sql.end();
      await site.stop();
    }
    await lying.stop();
  },
);

test("logins in two tabs can be finished in either order, but not in another browser", async ({
  here: { rows },
  github,
  page,
  elsewhere,
}) => {
  const name = newName();
  const emails = [{ email: `${name}@example.com`, primary: true, verified: true }];
  await github.tell({ id: 9000 + made, login: name, emails });
  const user = await createUser(rows.db);
  await rows.sql`
    insert into identities (user_id, issuer, subject, provider, label)
    values (${user.id}, ${`${github.origin}/login/oauth`}, ${`${9000 + made}`}, 'github', ${name})`;

  await page.goto("/login?next=/settings/profile");
  const first = await stopAtGithub(page, "Continue with GitHub");
  const tab = await page.context().newPage();
  await tab.goto("/login?next=/settings/devices");
  const second = await stopAtGithub(tab, "Continue with GitHub");
  const other = await elsewhere();
  await other.goto(first);
  await expect(other.getByText("This was started in another browser")).toBeVisible();
  await expectLoggedOut(other);
  await tab.goto(second);
  await expect(tab).toHaveURL("/settings/devices");
  await page.goto(first);
  await expect(page).toHaveURL("/settings/profile");
  // Already used. The login page would show a logged-in user no message, so another page does.
  await page.goto(first);
  await expect(page).toHaveURL("/settings/connected-accounts?notice=visit-ended");
  await expect(page.getByText("was used already, or took too long.")).toBeVisible();
  await page.context().clearCookies();
  await page.goto(first);
  await expectLoggedOut(page);
});

test("a provider's account is connected only for the session that asked for it", async ({
  here: { rows },
  github,
  page,
}) => {
  const { db, sql } = rows;
  const [user, other] = [await createUser(db), await createUser(db)];
  await github.tell({ id: 7000 + made++, login: "octocat", emails: [] });
  await logInByPassword(page, user.email);
  await page.goto("/settings/connected-accounts");
  const back = await stopAtGithub(page, "Connect GitHub");
  // Meanwhile another user logs in to this browser.
  const cookies = await page.context().cookies();
  await page.context().clearCookies();
  await logInByPassword(page, other.email);
  await page.context().addCookies(cookies.filter(({ name }) => name === "__Host-visit"));
  await page.goto(back);
  await expect(page.getByText("This was started in another browser")).toBeVisible();
  expect(await sql`select from identities where user_id in ${sql([user.id, other.id])}`).toEqual(
    [],
  );
});
