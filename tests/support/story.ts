import { type BrowserContext, test as base, type Page } from "@playwright/test";
import { sessionCookie } from "@/lib/auth/cookie";
import { type Connection, connect } from "@/lib/db/client";
import { given } from "@/lib/env";
import type { App } from "./app";
import { createLogin, createPerson, type Person } from "./people";
import { type ReceivedMail, receivedMail } from "./smtp";

/*
 * What a story has at hand: the running app, its database and mail, and people. `page` opens at the
 * app's origin. Tell stories by role and label, as a person would.
 */

type Fixtures = {
  app: App;
  /** A new user, who has logged in nowhere. */
  person: Person;
  /** A page in a browser of its own where `person` is logged in. */
  loggedIn: Page;
  /** Another browser where `who` is logged in; another device of theirs. */
  logInElsewhere(who: Person, options?: Elsewhere): Promise<Page>;
  /** Another browser that nobody is logged in with. */
  elsewhere(options?: Elsewhere): Promise<Page>;
  mailTo(address: string): Promise<ReceivedMail>;
};

type Elsewhere = Parameters<import("@playwright/test").Browser["newContext"]>[0];

type WorkerFixtures = { connection: Connection };

export const test = base.extend<Fixtures, WorkerFixtures>({
  connection: [
    // biome-ignore lint/correctness/noEmptyPattern: Playwright wants a destructured first argument
    async ({}, use) => {
      const connection = connect(runningApp().databaseUrl, { max: 4 });
      await use(connection);
      await connection.sql.end();
    },
    { scope: "worker" },
  ],
  // biome-ignore lint/correctness/noEmptyPattern: Playwright wants a destructured first argument
  app: async ({}, use) => use(runningApp()),
  // biome-ignore lint/correctness/noEmptyPattern: Playwright wants a destructured first argument
  baseURL: async ({}, use) => use(runningApp().origin),
  person: async ({ connection }, use) => use(await createPerson(connection.db)),
  loggedIn: async ({ logInElsewhere, person }, use) => use(await logInElsewhere(person)),
  elsewhere: async ({ browser, baseURL }, use) => {
    const contexts: BrowserContext[] = [];
    await use(async (options) => {
      const context = await browser.newContext({ baseURL, ignoreHTTPSErrors: true, ...options });
      contexts.push(context);
      return context.newPage();
    });
    for (const context of contexts) await context.close();
  },
  logInElsewhere: async ({ app, connection, elsewhere }, use) => {
    await use(async (who, options) => {
      const page = await elsewhere(options);
      const userAgent = options?.userAgent ?? (await page.evaluate(() => navigator.userAgent));
      const { token } = await createLogin(connection.db, who, { userAgent, ip: "127.0.0.1" });
      await page.context().addCookies([cookieFor(app.origin, token)]);
      return page;
    });
  },
  // biome-ignore lint/correctness/noEmptyPattern: Playwright wants a destructured first argument
  mailTo: async ({}, use) => use((address) => receivedMail(runningApp().mails, address)),
});

export { expect } from "@playwright/test";

/** The session cookie as the server would set it. */
export function cookieFor(origin: string, token: string) {
  const { name, attributes } = sessionCookie(origin);
  return { ...attributes, sameSite: "Lax" as const, name, value: token, domain: "localhost" };
}

function runningApp(): App {
  const story = given("LATCHKEY_STORIES");
  if (!story) throw new Error("Stories run by `npm run test:e2e`, which starts the app first.");
  return JSON.parse(story);
}
