import https from "node:https";
import { livePolicy } from "@/lib/auth/policy";
import { sessionCookie } from "@/lib/auth/sessions/cookie";
import { type App, startApp } from "@/tests/support/app";
import { cookieFor, expect, listening, logIn, test, thorough } from "@/tests/support/end-to-end";
import { httpClient } from "@/tests/support/http-client";
import { untilJobsAreDone } from "@/tests/support/snapshot";
import { createLogin, createUser, password } from "@/tests/support/users";

test.use({ live: true });

const sentence = "You were logged out on this device. Log in to continue.";

test("a session ended from another browser leads its open page to the login, and back after a login", async ({
  loggedIn,
  user,
  logInElsewhere,
}) => {
  const userAgent = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0";
  const other = await logInElsewhere(user, { userAgent });
  await listening(other, "/settings/activity?show=logins");
  await loggedIn.goto("/settings/devices");
  await loggedIn.getByRole("button", { name: "Log out Firefox on Linux" }).click();
  await expect(other.getByRole("status")).toHaveText(sentence);
  await expect(other.getByText(user.email)).toHaveCount(0);
  await expect(loggedIn).toHaveURL("/settings/devices?notice=device-logged-out");

  await other.getByLabel("Email").fill(user.email);
  await other.getByLabel("Password").fill(password);
  await other.getByRole("button", { name: "Log in", exact: true }).click();
  await expect(other).toHaveURL("/settings/activity?show=logins");
});

test("every tab of the browser goes to the login, and one of them holds the only stream", async ({
  loggedIn,
  user,
  logInElsewhere,
}) => {
  const tabs = [loggedIn, await loggedIn.context().newPage(), await loggedIn.context().newPage()];
  let streams = 0;
  loggedIn.context().on("request", (request) => {
    if (request.url().endsWith("/live") && request.method() === "GET") streams++;
  });
  await listening(loggedIn);
  for (const tab of tabs.slice(1)) {
    await tab.goto("/settings/profile");
    await expect(tab.getByRole("heading", { name: "Profile" })).toBeVisible();
  }
  expect(streams).toBe(1);
  const other = await logInElsewhere(user);
  await other.goto("/settings/devices");
  await other.getByRole("button", { name: "Log out other devices" }).click();
  for (const tab of tabs) await expect(tab.getByRole("status")).toHaveText(sentence);
});

test("when the tab that listens is closed, another one takes over", async ({
  loggedIn,
  user,
  logInElsewhere,
}) => {
  await listening(loggedIn);
  const second = await loggedIn.context().newPage();
  await second.goto("/dashboard");
  const notified = second.waitForResponse((response) => response.url().endsWith("/live"));
  await loggedIn.close();
  await notified;
  const other = await logInElsewhere(user);
  await other.goto("/settings/devices");
  await other.getByRole("button", { name: "Log out other devices" }).click();
  await expect(second.getByRole("status")).toHaveText(sentence);
});

test("the devices page updates by itself when a device logs in or out", async ({
  loggedIn,
  user,
  logInElsewhere,
}) => {
  await listening(loggedIn, "/settings/devices");
  const rows = loggedIn.getByRole("main").getByRole("listitem");
  await expect(rows).toHaveCount(1);
  const other = await logInElsewhere(user, { userAgent: "curl/8.0" });
  await expect(rows).toHaveCount(2);
  await other.goto("/dashboard");
  await other.getByRole("button", { name: "Log out" }).click();
  await expect(rows).toHaveCount(1);
});

test("a log out shows its notice in this tab, and leads the other tabs to the login", async ({
  loggedIn,
}) => {
  const tab = await loggedIn.context().newPage();
  await listening(tab);
  await loggedIn.goto("/settings/devices");
  await loggedIn
    .getByRole("listitem")
    .getByRole("button", { name: /^Log out/ })
    .click();
  await expect(loggedIn).toHaveURL("/login?notice=logged-out");
  await expect(tab.getByRole("status")).toHaveText(sentence);
});

test("after a login as another user in a second tab, the first tab shows that user", async ({
  loggedIn,
  connection: { db },
}) => {
  const second = await createUser(db);
  await listening(loggedIn);
  const tab = await loggedIn.context().newPage();
  await tab.context().clearCookies({ name: "__Host-session" });
  await logIn(tab, second.email, password);
  await expect(tab).toHaveURL("/dashboard");
  await loggedIn.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));
  await expect(loggedIn.getByText(second.email)).toBeVisible();
});

test("a login that replaces the session keeps the other tab on its page", async ({
  loggedIn,
  user,
  elsewhere,
  connection: { sql },
}) => {
  const stale = await elsewhere();
  await stale.goto("/login");
  await stale.getByLabel("Email").fill(user.email);
  await stale.getByLabel("Password").fill(password);
  const cookies = await loggedIn.context().cookies();
  await stale.context().addCookies(cookies);
  const tab = await stale.context().newPage();
  await listening(tab, "/settings/password");
  const again = tab.waitForResponse((response) => response.url().endsWith("/live"));
  await stale.getByRole("button", { name: "Log in", exact: true }).click();
  await expect(stale).toHaveURL("/dashboard");
  // One session replaced another: the tab stays where it was and uses the new one.
  await again;
  await expect(tab).toHaveURL("/settings/password");
  await expect(tab.getByRole("heading", { name: "Password" })).toBeVisible();
  const [row] = await sql<{ n: number }[]>`
    select count(*)::int as n from sessions where user_id = ${user.id}`;
  expect(row?.n).toBe(1);
});

test("an administrator suspends a user whose page is open", async ({
  user,
  loggedIn,
  logInElsewhere,
  connection: { db },
}) => {
  const admin = await logInElsewhere(await createUser(db, { role: "admin" }));
  await listening(loggedIn);
  await admin.goto(`/admin/users/${user.id}`);
  await admin.getByLabel("Reason").fill("Sends advertisements.");
  await admin.getByRole("button", { name: "Suspend" }).click();
  await expect(loggedIn.getByRole("status")).toHaveText(sentence);
});

test("a tab that becomes visible after a while checks its session", async ({
  loggedIn,
  user,
  connection: { sql },
}) => {
  // As if the network blocked streams.
  await loggedIn.route("**/live", (route) =>
    route.request().method() === "GET" ? route.abort() : route.continue(),
  );
  // The page requests the stream once its script runs, and then listens for visibility events too.
  await Promise.all([loggedIn.waitForRequest("**/live"), loggedIn.goto("/dashboard")]);
  await sql`delete from sessions where user_id = ${user.id}`;
  await loggedIn.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));
  await expect(loggedIn.getByRole("status")).toHaveText(sentence);
});

test("without a session there is no stream, and a token without one learns nothing", async ({
  app,
}) => {
  for (const token of [undefined, "x".repeat(43)]) {
    const { status, body, headers } = await httpClient(app, token).get("/live");
    expect([status, body, headers["cache-control"]]).toEqual([204, "", "private, no-store"]);
  }
});

test(
  "two servers on one database: a session ended on one is noticed on the other, which stops promptly",
  thorough,
  async ({ app, user, loggedIn, connection, elsewhere }) => {
    const second = await startApp(app.databaseUrl);
    const [cookie] = await loggedIn.context().cookies();
    const page = await elsewhere({ baseURL: second.origin });
    await page.context().addCookies([cookieFor(second.origin, `${cookie?.value}`)]);
    await listening(page);
    await loggedIn.goto("/settings/profile");
    await expect(loggedIn.getByText(user.email)).toBeVisible();
    await httpClient(app, cookie?.value).post("/logout", "");
    await expect(page.getByRole("status")).toHaveText(sentence);
    expect(await connection.sql`select from sessions where user_id = ${user.id}`).toHaveLength(0);

    await logIn(page, user.email, password);
    await expect(page).toHaveURL("/dashboard");
    await listening(page);
    // A job that a server was running when it stopped stays locked, and later tests of this
    // database would wait for it.
    await untilJobsAreDone(connection);
    await second.stop(); // sends SIGTERM, then kills after five seconds
  },
);

test(
  "a session that ends while the server has no database is noticed afterwards",
  thorough,
  async ({ proxied: { app, proxy, connection }, elsewhere }) => {
    const user = await createUser(connection.db);
    const page = await elsewhere({ baseURL: app.origin });
    await logIn(page, user.email, password);
    await expect(page).toHaveURL("/dashboard");
    await listening(page);
    proxy.cut();
    await connection.sql`delete from sessions where user_id = ${user.id}`;
    await expect.poll(async () => (await httpClient(app).get("/api/health")).status).toBe(503);
    expect(page.url()).toContain("/dashboard");
    proxy.mend();
    await expect(page.getByRole("status")).toHaveText(sentence);
  },
);

test(
  "a stopping server closes its streams at once, and the page reconnects by itself",
  thorough,
  async ({ app, user, connection, elsewhere }) => {
    const stopped = await startApp(app.databaseUrl, { instances: 1 });
    const { token } = await createLogin(connection.db, user);
    const page = await elsewhere({ baseURL: stopped.origin });
    await page.context().addCookies([cookieFor(stopped.origin, token)]);
    await listening(page);
    const again = page.waitForRequest((request) => request.url().endsWith("/live"));
    process.kill(stopped.pid, "SIGTERM");
    // An open stream would keep the server from stopping.
    await expect.poll(() => isAlive(stopped.pid)).toBe(false);
    await again;
    expect(new URL(page.url()).pathname).toBe("/dashboard");
    await stopped.stop();
  },
);

test(
  "a proxy's error response ends no session: the page reconnects later",
  thorough,
  async ({ loggedIn, user, connection: { sql } }) => {
    let asked = 0;
    await loggedIn.route("**/live", (route) =>
      route.request().method() === "GET" && asked++ === 0
        ? route.fulfill({ status: 502 })
        : route.continue(),
    );
    const notified = loggedIn.waitForResponse(
      (response) =>
        response.url().endsWith("/live") &&
        response.request().method() === "GET" &&
        response.status() === 200,
    );
    await loggedIn.goto("/dashboard");
    await notified;
    expect(asked).toBe(2);
    await sql`delete from sessions where user_id = ${user.id}`;
    await expect(loggedIn.getByRole("status")).toHaveText(sentence);
  },
);

test("a session that ended before its page could listen is noticed", async ({
  loggedIn,
  user,
  connection: { sql },
}) => {
  // As after a lost connection: the browser reconnects, and the session has ended.
  await loggedIn.route("**/live", async (route) => {
    await sql`delete from sessions where user_id = ${user.id}`;
    await route.continue();
  });
  await loggedIn.goto("/dashboard");
  await expect(loggedIn.getByRole("status")).toHaveText(sentence);
});

test("many streams of one session stay within its cap, and close no other session's", async ({
  app,
  user,
  connection: { db },
}) => {
  const { token } = await createLogin(db, user);
  const otherUser = await openStream(app, (await createLogin(db, await createUser(db))).token);
  const flood: Awaited<ReturnType<typeof openStream>>[] = [];
  for (let n = 0; n < 30; n++) flood.push(await openStream(app, token));
  const open = () => flood.filter((stream) => !stream.closed).length;
  await expect.poll(open).toBe(livePolicy.streamsPerSession);
  expect(flood.slice(-livePolicy.streamsPerSession).every((stream) => !stream.closed)).toBe(true);
  expect(otherUser.closed).toBe(false);
  for (const { leave } of [...flood, otherUser]) leave();
});

test("without JavaScript the next click leads to the login", async ({
  logInElsewhere,
  user,
  connection: { sql },
}) => {
  const page = await logInElsewhere(user, { javaScriptEnabled: false });
  await page.goto("/dashboard");
  await sql`delete from sessions where user_id = ${user.id}`;
  await page.getByRole("link", { name: "Settings" }).click();
  await expect(page).toHaveURL(/\/login\?next=/);
});

async function openStream(app: App, token: string) {
  const { port } = new URL(app.origin);
  // All to one instance, because each instance has its own limits.
  const headers = { cookie: `${sessionCookie(app.origin).name}=${token}`, "x-instance": "0" };
  const options = { port, path: "/live", headers, agent: false, rejectUnauthorized: false };
  return new Promise<{ closed: boolean; leave(): void }>((resolve, reject) => {
    const request = https.get(options, (response) => {
      const stream = { closed: false, leave: () => request.destroy() };
      response.on("end", () => {
        stream.closed = true;
      });
      response.on("error", () => {}); // we closed the connection
      response.once("data", () => resolve(stream));
    });
    request.on("error", reject);
  });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
