import { mkdir } from "node:fs/promises";
import path from "node:path";
import { type Browser, chromium, type Page } from "@playwright/test";
import { eq } from "drizzle-orm";
import { hashPassword } from "@/lib/auth/credentials/passwords";
import { type Connection, connect } from "@/lib/db/client";
import { users } from "@/lib/db/schema/users";
import { demoUsers, seed } from "@/lib/dev/seed";
import { startApp } from "./support/app";
import { ensureBrowser } from "./support/browser";
import { startTestServer } from "./support/postgres";
import { allPages, createLinks, dynamicSegments, linkPages } from "./support/surface";

/*
 * `npm run screenshots` takes the README's pictures from the running production build.
 *
 * `npm run screenshots -- <directory>` takes every page of the build, narrow and wide, light and
 * dark, for review after a change.
 */

const everything = process.argv[2];
const readmePages = { team: "/dashboard", devices: "/settings/devices" };

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
  const connection = connect(databaseUrl, { max: 1 });
  const { db, sql } = connection;
  const [demo] = await db.select().from(users).where(eq(users.email, demoUsers[0].email));
  const [suspended] = await db.select().from(users).where(eq(users.status, "suspended")).limit(1);
  if (!demo || !suspended) throw new Error("The seed has no demo user, or none that is suspended.");
  const links = await createLinks(connection, demo);
  const dynamic = [
    ...typedEntries(linkPages).map(([kind, page]) => `${page}/${links[kind]}`),
    `/admin/users/${demo.id}`,
    ...(await teamPages(connection, demo.id)),
  ];
  const pages = allPages().map((page) => (isDynamic(page) ? filledIn(page, dynamic) : page));
  const states = [
    ...["/login?notice=logged-out", "/signup?notice=check-your-email", "/signup/none", "/nowhere"],
    ...["/forgot-password?notice=check-your-email", "/settings/profile?notice=saved"],
    ...["/admin/users?q=li", "/admin/users?q=unknown&status=suspended"],
    `/admin/users/${suspended.id}?notice=suspended`,
  ];

  for (const colorScheme of ["light", "dark"] as const) {
    for (const width of [375, 1280]) {
      const taken = new Set<string>();
      const shoot = async (page: Page, name: string) => {
        const file = `${name}-${width}-${colorScheme}.png`;
        await page.screenshot({ path: path.join(directory, file), fullPage: true });
        taken.add(name);
      };
      for (const who of [undefined, ...demoUsers]) {
        const page = await open(browser, colorScheme, { width, height: 800 });
        if (who) await logIn(page, who);
        for (const address of [...pages, ...states].filter((each) => !taken.has(nameOf(each)))) {
          const response = await page.goto(address);
          // Skips pages that redirect or are not found: only another visitor may see them.
          const isHere = new URL(page.url()).pathname === new URL(address, app.origin).pathname;
          const isFound = response?.status() !== 404 || address === "/nowhere";
          if (isHere && isFound) await shoot(page, nameOf(address));
        }
        if (!who) await takeRefusedLogin(page, shoot);
        if (who === demoUsers[0]) await takeForms(page, shoot);
        await page.context().close();
      }
      // Makes every session confirm again. The next round logs in anew.
      const page = await open(browser, colorScheme, { width, height: 800 });
      await logIn(page);
      await sql`update sessions set authenticated_at = now() - interval '1 day'`;
      await page.goto("/confirm?next=/settings/devices");
      await shoot(page, "confirm");
      await page.context().close();
    }
  }
  await sql.end();
}

type Shoot = (page: Page, name: string) => Promise<void>;

async function takeRefusedLogin(page: Page, shoot: Shoot): Promise<void> {
  await page.goto("/login");
  await page.getByLabel("Email").fill("unknown@example.com");
  await page.getByLabel("Password").fill("a wrong password");
  await page.getByRole("button", { name: "Log in", exact: true }).click();
  await page.getByText("Email or password is incorrect.").waitFor();
  await shoot(page, "login-refused");
}

/** Takes what a logged-in user sees only after a click. */
async function takeForms(page: Page, shoot: Shoot): Promise<void> {
  await page.goto("/settings/devices");
  await page.getByRole("button", { name: "Log out everywhere" }).click();
  await shoot(page, "log-out-everywhere");
  await page.goto("/settings/api-keys");
  await page.getByLabel("Name").fill("Nightly backup");
  await page.getByLabel("profile:read").check();
  await page.getByRole("button", { name: "Create key" }).click();
  await page.getByText("Your new key").waitFor();
  await shoot(page, "api-keys-new");
  await page.goto("/settings/api-keys");
  await shoot(page, "api-keys-listed");
  await page.getByRole("button", { name: "Revoke Nightly backup" }).click();
  await page.waitForURL("**/settings/api-keys?notice=*");
}

/** Returns the paths of a team's pages, and of its page in the administration. */
async function teamPages({ sql }: Connection, owner: string): Promise<string[]> {
  const [team] = await sql<{ id: string; handle: string; project: string; member: string }[]>`
    select t.id, t.handle, (select id from projects where team_id = t.id limit 1) as project,
      (select user_id from members where team_id = t.id and role = 'member' limit 1) as member
    from teams t join members m on m.team_id = t.id
    where m.user_id = ${owner} and m.role = 'owner' order by t.created_at limit 1`;
  if (!team) throw new Error("The seed has no team that the demo user owns.");
  const { id, handle, project, member } = team;
  // Pages with the team as their only parameter need no line here.
  const plain = allPages().filter((page) => page.match(dynamicSegments)?.length === 1);
  const ofTeam = plain.filter((page) => page.startsWith("/t/"));
  const pages = [`/projects/${project}`, `/settings/members/${member}/remove`];
  return [
    `/admin/teams/${id}`,
    ...ofTeam.map((page) => page.replace(dynamicSegments, handle)),
    ...pages.map((page) => `/t/${handle}${page}`),
  ];
}

function isDynamic(page: string): boolean {
  return page.search(dynamicSegments) >= 0;
}

/** Returns the path that a dynamic page of the build has here. */
function filledIn(page: string, dynamic: string[]): string {
  const pattern = new RegExp(`^${page.replaceAll(dynamicSegments, "[^/]+")}$`);
  const found = dynamic.find((address) => pattern.test(address));
  if (!found) throw new Error(`Add a path like ${page} to \`dynamic\`.`);
  return found;
}

/** Returns a picture's name without tokens and ids, so that it is the same in each run. */
function nameOf(address: string): string {
  const stable = address
    .replace(/^\/t\/[\da-f]{10}/, "/t/team")
    .replace(/\/([\w-]{43}|[\da-f-]{36})(?=$|\?|\/)/, "/one");
  return stable.replaceAll(/\W+/g, "-").replaceAll(/^-|-$/g, "") || "landing";
}

function typedEntries<Key extends string, Value>(record: Record<Key, Value>): [Key, Value][] {
  return Object.entries(record) as [Key, Value][]; // the keys of the object are those of its type
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

async function logIn(page: Page, who: (typeof demoUsers)[number] = demoUsers[0]): Promise<void> {
  await page.goto("/login");
  await page.getByLabel("Email").fill(who.email);
  await page.getByLabel("Password").fill(who.password);
  await page.getByRole("button", { name: "Log in", exact: true }).click();
  await page.waitForURL("**/dashboard");
}
