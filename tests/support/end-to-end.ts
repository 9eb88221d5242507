import { readFile, rm } from "node:fs/promises";
import {
  type Browser,
  type BrowserContext,
  test as base,
  expect,
  type Page,
} from "@playwright/test";
import { sessionCookie } from "@/lib/auth/sessions/cookie";
import { type Connection, connect } from "@/lib/db/client";
import { readVariable } from "@/lib/env";
import { minutes } from "@/lib/time";
import { type App, buildWithoutProxy, startApp } from "./app";
import { setPayments, startTestProvider, type TestProvider, webhookSecret } from "./billing";
import { randomClientIp } from "./http-client";
import { cloneTemplate } from "./postgres";
import { type ProviderProcess, startProviderProcess } from "./provider-process";
import { type ReceivedMail, receivedMail } from "./smtp";
import { startTcpProxy, type TcpProxy } from "./tcp-proxy";
import { createLogin, createUser, type TestUser } from "./users";

/*
 * The fixtures of end-to-end tests: a running app with a database and mail, and its users. `page`
 * opens at the app's origin. Find elements by role and label, as a user would.
 *
 * Each of Playwright's workers has its own app and database and runs one test at a time, so a test
 * may compare whole tables: rows left by earlier tests do not change.
 */

type Fixtures = {
  /** A new user without a session. */
  user: TestUser;
  /** A page in its own browser where `user` is logged in. */
  loggedIn: Page;
  /** Opens another browser where `user` is logged in: another device. */
  logInElsewhere(user: TestUser, options?: Elsewhere): Promise<Page>;
  /** Opens another browser without a session. */
  elsewhere(options?: Elsewhere): Promise<Page>;
  mailTo(address: string): Promise<ReceivedMail>;
  /**
   * An app for this test alone, with a proxy to its database; `connection` bypasses the proxy. It
   * has one instance, so that the proxy sees only the messages of the test's requests.
   */
  proxied: { app: App; proxy: TcpProxy; connection: Connection };
};

type Elsewhere = Parameters<Browser["newContext"]>[0];

export type Options = {
  /**
   * Whether pages receive the event that their session has ended. Off by default, because most
   * tests check what holds without it: the next request of an ended session is anonymous.
   */
  live: boolean;
};

export type WorkerFixtures = {
  /** Whether the app runs without `proxy.ts`, as some tests do in the project "without proxy". */
  withoutProxy: boolean;
  /** The identity provider of every app. `tell` sets the account that is logged in there. */
  github: ProviderProcess;
  /** The payment provider of every app. It has the prices, and posts its events to the app. */
  payments: TestProvider;
  app: App;
  connection: Connection;
  /** Clones a database beside the worker's, for a test that starts its own app. */
  newDatabase(): Promise<string>;
};

export const test = base.extend<Fixtures & Options, WorkerFixtures>({
  live: [false, { option: true }],
  context: async ({ context, live }, use) => {
    if (!live) await blockEvents(context);
    await use(context);
  },
  newDatabase: [
    // biome-ignore lint/correctness/noEmptyPattern: Playwright wants a destructured first argument
    async ({}, use, { workerIndex }) => {
      const { url, template } = testServer();
      let made = 0;
      await use(() => cloneTemplate(url, template, `e2e_${workerIndex}_${made++}`));
    },
    { scope: "worker" },
  ],
  withoutProxy: [false, { scope: "worker", option: true }],
  github: [
    // biome-ignore lint/correctness/noEmptyPattern: Playwright wants a destructured first argument
    async ({}, use) => {
      const github = await startProviderProcess("fake-github.ts");
      await use(github);
      await github.stop();
    },
    { scope: "worker" },
  ],
  payments: [
    // biome-ignore lint/correctness/noEmptyPattern: Playwright wants a destructured first argument
    async ({}, use) => {
      const payments = await startTestProvider();
      await use(payments);
      await payments.standIn.stop();
    },
    { scope: "worker" },
  ],
  app: [
    async ({ newDatabase, withoutProxy, github, payments }, use, { workerIndex }) => {
      const directory = withoutProxy ? await buildWithoutProxy(`${workerIndex}`) : undefined;
      const env = { ...githubEnv(github), ...paymentsEnv(payments) };
      const app = await startApp(await newDatabase(), { directory, env });
      setPayments(app.databaseUrl, payments);
      const url = `http://127.0.0.1:${app.port}/api/webhooks/stripe`;
      await payments.standIn.tell({ do: "webhook", url, secret: webhookSecret });
      await use(app);
      await app.stop();
      await expectNoTokenIn(app);
      if (directory) await rm(directory, { recursive: true });
    },
    { scope: "worker", timeout: minutes(5) },
  ],
  connection: [
    async ({ app }, use) => {
      const connection = connect(app.databaseUrl, { max: 4 });
      await use(connection);
      await connection.sql.end();
    },
    { scope: "worker" },
  ],
  // biome-ignore lint/correctness/noEmptyPattern: Playwright wants a destructured first argument
  extraHTTPHeaders: async ({}, use) => use(randomClientIp()),
  baseURL: async ({ app }, use) => use(app.origin),
  user: async ({ connection }, use) => use(await createUser(connection.db)),
  loggedIn: async ({ logInElsewhere, user }, use) => use(await logInElsewhere(user)),
  elsewhere: async ({ browser, baseURL, live }, use) => {
    const contexts: BrowserContext[] = [];
    await use(async (options) => {
      const context = await browser.newContext({
        baseURL,
        ignoreHTTPSErrors: true,
        extraHTTPHeaders: randomClientIp(),
        ...options,
      });
      contexts.push(context);
      if (!live) await blockEvents(context);
      return context.newPage();
    });
    for (const context of contexts) await context.close();
  },
  logInElsewhere: async ({ app, connection, elsewhere }, use) => {
    await use(async (user, options) => {
      const page = await elsewhere(options);
      const userAgent = options?.userAgent ?? (await page.evaluate(() => navigator.userAgent));
      const { token } = await createLogin(connection.db, user, { userAgent, ip: "127.0.0.1" });
      await page.context().addCookies([cookieFor(app.origin, token)]);
      return page;
    });
  },
  mailTo: async ({ app }, use) => use((address) => receivedMail(app.mails, address)),
  proxied: async ({ newDatabase }, use) => {
    const url = await newDatabase();
    const [connection, proxy] = [connect(url, { max: 1 }), await startTcpProxy(url)];
    // With a single connection, the messages do not depend on which connection is free. With
    // CRON_SECRET, no worker polls for jobs meanwhile.
    const env = { DATABASE_POOL_MAX: "1", CRON_SECRET: "c".repeat(43) };
    const app = await startApp(proxy.url, { env, instances: 1 });
    await use({ app, proxy, connection });
    await app.stop();
    proxy.stop();
    await connection.sql.end();
    await expectNoTokenIn(app);
  },
});

export { expect };

/**
 * Test details that exclude a test from `npm test` (tests/README.md). Whole files of such tests
 * are in e2e/thorough.
 */
export const thorough = { tag: "@thorough" };

/** Runs a flow with JavaScript and once more without. */
export const bothWays = [
  { javaScriptEnabled: true, how: "" },
  { javaScriptEnabled: false, how: ", without JavaScript @thorough" },
];

export const githubEnv = ({ origin }: ProviderProcess): Record<string, string> => ({
  ...{ GITHUB_CLIENT_ID: "client", GITHUB_CLIENT_SECRET: "github-secret", GITHUB_URL: origin },
});

const paymentsEnv = ({ standIn }: TestProvider): Record<string, string> => ({
  ...{ STRIPE_SECRET_KEY: standIn.secretKey, STRIPE_WEBHOOK_SECRET: webhookSecret },
  STRIPE_API_URL: standIn.origin,
});

export async function logIn(page: Page, email: string, password: string): Promise<void> {
  await page.goto("/login");
  await page.getByLabel("Email").fill(email);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Log in", exact: true }).click();
}

export async function askForReset(page: Page, email: string): Promise<void> {
  await page.goto("/forgot-password");
  await page.getByLabel("Email").fill(email);
  await page.getByRole("button", { name: "Send reset link" }).click();
  await expect(page.getByRole("heading", { name: "Check your email" })).toBeVisible();
}

/** Waits until React has hydrated the button, which submits no form by itself, and clicks it. */
export async function pressPasskey(page: Page, name: string): Promise<void> {
  const button = page.getByRole("button", { name });
  const isHydrated = (element: Element) =>
    Object.keys(element).some((key) => key.startsWith("__reactProps"));
  await expect.poll(() => button.evaluate(isHydrated)).toBe(true);
  await button.click();
}

export async function expectLoggedIn(page: Page): Promise<void> {
  await page.goto("/dashboard");
  await expect(page).toHaveURL("/dashboard");
}

export async function expectLoggedOut(page: Page): Promise<void> {
  await page.goto("/dashboard");
  await expect(page).toHaveURL("/login?next=%2Fdashboard");
}

/** Returns the first link in the mail's text. */
export function linkIn(mail: ReceivedMail | undefined): string {
  const [link] = mail?.text.match(/https:\S+/) ?? [];
  if (!link) throw new Error(`No link in this mail: ${mail?.text}`);
  return link;
}

/** Returns the session cookie as the server would set it. */
export function cookieFor(origin: string, token: string) {
  const { name, attributes } = sessionCookie(origin);
  return { ...attributes, sameSite: "Lax" as const, name, value: token, domain: "localhost" };
}

/** Leaves requests for the event stream unanswered, like a proxy that passes no streams. */
export async function blockEvents(context: BrowserContext): Promise<void> {
  await context.route("**/live", (route) => {
    if (route.request().method() !== "GET") return route.continue();
  });
}

/** Checks, once per worker and after all its tests, that the log contains no token they used. */
async function expectNoTokenIn({ log, tokens }: App): Promise<void> {
  const text = await readFile(log, "utf8");
  const found = [...tokens].filter((token) => text.includes(token));
  if (found.length > 0) throw new Error(`The server's log holds ${found.length} tokens: ${log}`);
}

function testServer(): { url: string; template: string } {
  const server = readVariable("LATCHKEY_END_TO_END");
  if (!server) throw new Error("Run these by `npm run test:e2e`, which starts Postgres first.");
  return JSON.parse(server);
}

/** Opens a page and waits until its request for the event stream has been answered. */
export async function listening(page: Page, path = "/dashboard"): Promise<void> {
  const [answer] = await Promise.all([
    page.waitForResponse((response) => response.url().endsWith("/live")),
    page.goto(path),
  ]);
  expect(answer.headers()["content-type"]).toBe("text/event-stream");
}
