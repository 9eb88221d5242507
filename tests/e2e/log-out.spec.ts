import { chromium, type Page } from "@playwright/test";
import { sudoPolicy } from "@/lib/auth/policy";
import { span } from "@/tests/support/ages";
import { findBrowser } from "@/tests/support/browser";
import { cookieFor, expect, test } from "@/tests/support/end-to-end";
import { createLogin } from "@/tests/support/users";

/** Opens a second tab in the browser and returns it. Both tabs show the logged-in user. */
async function twoTabs(first: Page): Promise<Page> {
  const second = await first.context().newPage();
  await second.goto("/dashboard");
  await second.getByRole("link", { name: "Settings" }).click();
  await expect(second.getByRole("heading", { name: "Settings" })).toBeVisible();
  await first.goto("/dashboard");
  await first.getByRole("link", { name: "Settings" }).click();
  await first.getByRole("link", { name: "Devices", exact: true }).click();
  await expect(first.getByRole("heading", { name: "Devices" })).toBeVisible();
  for (const tab of [first, second])
    await tab.evaluate(() => Object.assign(window, { heldPages: true }));
  return second;
}

/** Expects that neither Back nor Forward nor a link in an open tab shows any data of the user. */
async function expectNothingLeft(tabs: Page[], user: { name: string; email: string }) {
  for (const tab of tabs) {
    const clicked = tab.getByRole("link", { name: "Dashboard" });
    if (await clicked.isVisible()) await clicked.click();
    await expect(tab).toHaveURL(/\/login/);
    await tab.waitForFunction(() => !("heldPages" in window)); // the document was newly loaded
    for (let step = 0; step < 3; step++) {
      await tab.waitForLoadState();
      // The navigation is aborted if the earlier page redirects at once.
      await tab.goBack().catch(() => {});
      await tab.waitForLoadState();
      await expect(tab.getByText(user.name)).toHaveCount(0);
      await expect(tab.getByText(user.email)).toHaveCount(0);
    }
  }
}

test("log out in one tab: the other tab and Back show nothing", async ({ loggedIn, user }) => {
  const second = await twoTabs(loggedIn);
  await loggedIn.getByRole("button", { name: "Log out", exact: true }).click();
  await expect(loggedIn).toHaveURL("/login?notice=logged-out");
  await expectNothingLeft([loggedIn, second], user);
});

test("log out everywhere: the other tab and Back show nothing", async ({ loggedIn, user }) => {
  const second = await twoTabs(loggedIn);
  await loggedIn.getByRole("button", { name: "Log out everywhere" }).click();
  await loggedIn
    .getByRole("dialog")
    .getByRole("button", { name: /everywhere/ })
    .click();
  await expect(loggedIn).toHaveURL("/login?notice=logged-out-everywhere");
  await expectNothingLeft([loggedIn, second], user);
});

test("not even a browser that keeps pages for Back shows one after log out", async ({
  app,
  user,
  connection,
}) => {
  const browser = await chromium.launch({
    executablePath: findBrowser(),
    args: ["--no-sandbox"],
    // Playwright disables the back/forward cache by default.
    ignoreDefaultArgs: ["--disable-back-forward-cache"],
  });
  const context = await browser.newContext({ baseURL: app.origin, ignoreHTTPSErrors: true });
  const { token } = await createLogin(connection.db, user);
  await context.addCookies([cookieFor(app.origin, token)]);
  const page = await context.newPage();
  await page.goto("/settings/profile");
  await page.goto("/dashboard");
  await page.getByRole("button", { name: "Log out" }).click();
  await expect(page).toHaveURL(`${app.origin}/login?notice=logged-out`);
  await expectNothingLeft([page], user);
  await browser.close();
});

test("end this device from its own row: the other tab and Back show nothing", async ({
  loggedIn,
  user,
}) => {
  const second = await twoTabs(loggedIn);
  await loggedIn
    .getByRole("listitem")
    .filter({ hasText: "This device" })
    .getByRole("button", { name: /^Log out/ })
    .click();
  await expect(loggedIn).toHaveURL("/login?notice=logged-out");
  await expectNothingLeft([loggedIn, second], user);
});

test("a form in a logged-out tab changes nothing and leads to the login", async ({
  loggedIn,
  user,
  connection: { sql },
}) => {
  await loggedIn.goto("/settings/profile");
  await loggedIn.getByLabel("Name").fill("Too Late");
  await sql`delete from sessions where user_id = ${user.id}`;
  await loggedIn.getByRole("button", { name: "Save" }).click();
  await expect(loggedIn).toHaveURL("/login?next=%2Fsettings%2Fprofile");
  const [row] = await sql`select name from users where id = ${user.id}`;
  expect(row?.name).toBe(user.name);
});

for (const [how, logOut] of Object.entries({
  "with the button": (page: Page) =>
    page.getByRole("button", { name: "Log out", exact: true }).click(),
  "from its own row": async (page: Page) => {
    await page.goto("/settings/devices");
    const own = page.getByRole("listitem").filter({ hasText: "This device" });
    await own.getByRole("button", { name: /^Log out/ }).click();
  },
}))
  test(`a log out deletes the draft, ${how}`, async ({ loggedIn, user, connection: { sql } }) => {
    const cookies = async () => (await loggedIn.context().cookies()).map(({ name }) => name).sort();
    await sql`
      update sessions set authenticated_at = now() - ${span(sudoPolicy.submit)}::interval
      where user_id = ${user.id}`;
    await loggedIn.goto("/settings/profile");
    const form = loggedIn.locator("form").filter({ hasText: "Change email" });
    await form.getByLabel("Email").fill("next@example.com");
    await form.getByRole("button", { name: "Change email" }).click();
    await expect(loggedIn).toHaveURL(/\/confirm/);
    expect(await cookies()).toEqual(["__Host-draft", "__Host-session"]);
    await logOut(loggedIn);
    await expect(loggedIn).toHaveURL("/login?notice=logged-out");
    expect(await cookies()).toEqual([]);
  });

test("logging out twice is no error", async ({ loggedIn }) => {
  await loggedIn.goto("/dashboard");
  const second = await loggedIn.context().newPage();
  await second.goto("/dashboard");
  await second.getByRole("button", { name: "Log out" }).click();
  await loggedIn.getByRole("button", { name: "Log out" }).click();
  await expect(loggedIn).toHaveURL("/login?notice=logged-out");
});

test("every page of a logged-in user has the log-out button", async ({ loggedIn }) => {
  for (const path of ["/dashboard", "/settings/profile", "/settings/devices"]) {
    await loggedIn.goto(path);
    await expect(loggedIn.getByRole("button", { name: "Log out", exact: true })).toBeVisible();
  }
});
