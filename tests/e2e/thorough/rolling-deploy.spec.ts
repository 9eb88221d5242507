import { rm } from "node:fs/promises";
import type { Page, Response } from "@playwright/test";
import { type Connection, connect } from "@/lib/db/client";
import { type App, laterBuild, standalone, startApp } from "@/tests/support/app";
import { test as base, cookieFor, expect } from "@/tests/support/end-to-end";
import { httpClient, randomClientIp } from "@/tests/support/http-client";
import { missingPrograms } from "@/tests/support/instances";
import { receivedMail } from "@/tests/support/smtp";
import { allRows } from "@/tests/support/snapshot";
import { actionNamed } from "@/tests/support/surface";
import { createLogin, createUser, type TestUser } from "@/tests/support/users";

/*
 * Two versions serve at the same time, as during a rolling deploy: an instance of the build, and
 * one of a later build, whose scripts have other names and which has no action `saveProfile`
 * with this id.
 */

type Version = "earlier" | "later";

const test = base.extend<object, { versions: { app: App; connection: Connection } }>({
  versions: [
    async ({ newDatabase }, use, { workerIndex }) => {
      const missing = missingPrograms();
      test.skip(missing.length > 0, `needs ${missing.join(" and ")}`);
      const directory = await laterBuild(`${workerIndex}`, [actionNamed("saveProfile").id]);
      const url = await newDatabase();
      const connection = connect(url, { max: 2 });
      const app = await startApp(url, { directory: [standalone, directory] });
      await use({ app, connection });
      await app.stop();
      await connection.sql.end();
      await rm(directory, { recursive: true });
    },
    { scope: "worker" },
  ],
  baseURL: async ({ versions }, use) => use(versions.app.origin),
});

/** Chooses the instance for the page's further requests. Without one, they alternate. */
const send = (page: Page, to?: Version) =>
  page.context().setExtraHTTPHeaders({
    ...randomClientIp(),
    ...(to && { "x-instance": to === "earlier" ? "0" : "1" }),
  });

async function logIn(page: Page, { app, connection }: { app: App; connection: Connection }) {
  const user = await createUser(connection.db);
  const { token } = await createLogin(connection.db, user);
  await page.context().addCookies([cookieFor(app.origin, token)]);
  return user;
}

const nameOf = async ({ sql }: Connection, { id }: TestUser) =>
  (await sql`select name from users where id = ${id}`)[0]?.name;

for (const javaScriptEnabled of [true, false])
  test.describe(javaScriptEnabled ? "with JavaScript" : "without JavaScript", () => {
    test.use({ javaScriptEnabled });

    test("a form of the earlier version works on the later one if its action still exists", async ({
      page,
      versions: { app, connection },
    }) => {
      const user = await createUser(connection.db);
      await send(page, "earlier");
      await page.goto("/forgot-password");
      await page.getByLabel("Email").fill(user.email);
      await send(page, "later");
      await page.getByRole("button").filter({ hasText: "link" }).click();
      await expect(page.getByRole("heading", { name: "Check your email" })).toBeVisible();
      expect((await receivedMail(app.mails, user.email)).subject).toBe("Choose a new password");
    });

    test("a form whose action is gone is refused with a sentence, and does nothing", async ({
      page,
      versions,
    }) => {
      const { connection } = versions;
      const user = await logIn(page, versions);
      await send(page, "earlier");
      await page.goto("/settings/profile");
      await page.getByLabel("Name").fill("Ada of the earlier page");
      const before = await allRows(connection);
      await send(page, "later");
      const answered = page.waitForResponse((response) => response.request().method() === "POST");
      await page.getByRole("button", { name: "Save" }).click();
      expect((await answered).status()).toBe(409);
      const sentence = "This page is from an earlier version of the site, and nothing was saved.";
      const refusal = page.getByText(sentence);
      await expect(refusal).toBeVisible();
      expect(await allRows(connection)).toEqual(before);

      if (javaScriptEnabled) {
        await expect(refusal).toBeFocused();
        await expect(page.getByLabel("Name")).toHaveValue("Ada of the earlier page");
        await page.getByRole("button", { name: "Reload" }).click();
        await expect(refusal).toBeHidden();
      } else {
        await page.goBack();
        await expect(page.getByLabel("Name")).toHaveValue("Ada of the earlier page");
        await page.reload();
      }
      await page.getByLabel("Name").fill("Ada of the later page");
      await page.getByRole("button", { name: "Save" }).click();
      await expect(page.getByRole("status")).toHaveText("Your profile is saved.");
      expect(await nameOf(connection, user)).toBe("Ada of the later page");
    });
  });

test("a click on a page of the earlier version loads a whole page of the later one", async ({
  page,
  versions,
}) => {
  await logIn(page, versions);
  await send(page, "earlier");
  await page.goto("/settings/profile");
  await send(page, "later");
  const loaded = page.waitForResponse((response) => response.request().isNavigationRequest());
  await page.getByRole("link", { name: "Devices" }).first().click();
  expect((await loaded).status()).toBe(200);
  await expect(page).toHaveURL("/settings/devices");
  await expect(page.getByRole("heading", { level: 1, name: "Devices" })).toBeVisible();
});

test("each page gets its scripts from either instance", async ({ page, versions: { app } }) => {
  const { get } = httpClient(app);
  const scriptsOf = async (instance: string) => {
    const { body } = await get("/login", { "x-instance": instance });
    return [...new Set(body.match(/\/_next\/static\/chunks\/[\w-]+\.js/g))];
  };
  const [earlier, later] = [await scriptsOf("0"), await scriptsOf("1")];
  expect(earlier.length).toBeGreaterThan(3);
  expect(earlier.filter((script) => later.includes(script))).toEqual([]);

  const files: Response[] = [];
  page.on("response", (response) => {
    if (response.url().includes("/_next/static/")) files.push(response);
  });
  for (const version of ["earlier", "later"] as const) {
    await send(page, version);
    await page.goto("/login");
    await send(page);
    await page.reload({ waitUntil: "networkidle" });
  }
  expect(files.length).toBeGreaterThan(earlier.length);
  expect(files.filter((file) => file.status() !== 200).map((file) => file.url())).toEqual([]);
});

// Must be the last test: it stops the instance of the earlier version.
test("no request fails while the earlier version stops", async ({ versions: { app } }) => {
  const { get } = httpClient(app);
  let stopped = false;
  const exited = app.exited.then((code) => {
    stopped = true;
    return code;
  });
  const statuses = new Set<number>();
  const ask = async () => {
    statuses.add((await get("/login")).status);
  };
  await ask();
  process.kill(app.pid, "SIGTERM");
  while (!stopped) await Promise.all([ask(), ask(), ask()]);
  expect(await exited).toBe(143);
  for (let n = 0; n < 10; n++) await ask();
  expect([...statuses]).toEqual([200]);
});
