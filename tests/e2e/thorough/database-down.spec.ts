import { readFile } from "node:fs/promises";
import AxeBuilder from "@axe-core/playwright";
import { cookieFor, expect, test } from "@/tests/support/end-to-end";
import { httpClient } from "@/tests/support/http-client";
import { allActions, allPaths, createScenario, formBody } from "@/tests/support/surface";

test("without its database every page says so, and works again once it is back", async ({
  proxied: { app, proxy, connection },
  elsewhere,
}) => {
  const scenario = await createScenario(connection);
  const { token, user } = scenario;
  const page = await elsewhere({ baseURL: app.origin });
  await page.context().addCookies([cookieFor(app.origin, token)]);
  await page.goto("/teams");

  proxy.cut();
  await page.getByRole("link", { name: "Settings" }).click();
  await expect(page.getByRole("heading", { name: "Something went wrong" })).toBeVisible();
  await expect(page.getByRole("link", { name: "Try again" })).toHaveAttribute("href", "/settings");
  for (const path of ["/settings", "/settings/devices?notice=device-gone", "/login"]) {
    const answer = await page.goto(path);
    expect(answer?.status(), path).toBe(503);
    expect(answer?.headers()["cache-control"], path).toContain("no-store");
    await expect(page.getByRole("heading", { name: "Something went wrong" })).toBeVisible();
    await expect(page.getByRole("link", { name: "Try again" })).toHaveAttribute("href", path);
  }
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    expect((await new AxeBuilder({ page }).analyze()).violations).toEqual([]);
  }
  for (const path of allPaths()) {
    const { body, setCookie } = await httpClient(app, token).get(path);
    expect(body, path).not.toMatch(/select |token_hash|ECONN|CONNECTION_|postgres:/);
    expect(setCookie, path).toEqual([]);
  }

  for (const action of allActions())
    await httpClient(app, token).post(action.path, formBody(action, scenario.fieldsOf(action)));
  // The log contains which query failed and why, but not its parameters.
  const log = await readFile(app.log, "utf8");
  expect(log).toMatch(/Failed query: select/);
  expect(log).toMatch(/CONNECTION_CLOSED|ECONNRESET|CONNECT/);
  expect(log).not.toMatch(/params|<Buffer|argon2id/);
  expect(log).not.toContain(user.email);

  proxy.mend();
  expect((await httpClient(app, token).get("/settings")).body).toContain(user.email);
  await page.goto("/unavailable?next=/settings");
  await page.getByRole("link", { name: "Try again" }).click();
  await expect(page.getByText(user.email)).toBeVisible();
});

test("without its database and without JavaScript every page and every form says so", async ({
  proxied: { app, proxy, connection },
  elsewhere,
}) => {
  const { token, linkPaths, fieldsOf } = await createScenario(connection);
  const page = await elsewhere({ baseURL: app.origin, javaScriptEnabled: false });
  proxy.cut();
  // A team's page redirects a visitor without a session to the login, without a query.
  for (const path of linkPaths.filter((each) => !each.startsWith("/t/"))) {
    await page.goto(path);
    await expect(page.getByRole("heading", { name: "Something went wrong" })).toBeVisible();
    await expect(page.getByRole("link", { name: "Try again" })).toHaveAttribute("href", path);
  }
  // Also with the cookies of a known browser and a pending login, which need a lookup.
  const pending = `__Host-login=${"x".repeat(43)}`;
  const cookie = `__Host-session=${token}; __Host-device=${"x".repeat(44)}; ${pending}`;
  for (const action of allActions()) {
    const body = formBody(action, fieldsOf(action));
    const { status, headers } = await httpClient(app).post(action.path, body, { cookie });
    expect([status, headers.location], action.name).toEqual([
      303,
      expect.stringMatching(/^\/unavailable\?next=/),
    ]);
  }
  await page.context().addCookies([cookieFor(app.origin, token)]);
  await page.goto("/settings/devices");
  await expect(page.getByRole("heading", { name: "Something went wrong" })).toBeVisible();
  proxy.mend();
  await page.getByRole("link", { name: "Try again" }).click();
  await expect(page).toHaveURL(`${app.origin}/settings/devices`);
  await expect(page.getByRole("heading", { name: "Devices" })).toBeVisible();
});

test("/unavailable never links to another site", async ({ app }) => {
  for (const next of ["//evil.example", "https://evil.example", '"><script>alert(1)</script>']) {
    const path = `/unavailable?next=${encodeURIComponent(next)}`;
    const { status, body } = await httpClient(app).get(path);
    expect(status).toBe(503);
    expect(body).toContain('<a href="/">');
    expect(body).not.toMatch(/evil|alert/);
  }
});

test("a log out that fails says so, and the session stays", async ({
  proxied: { app, proxy, connection },
  elsewhere,
}) => {
  const { token, user } = await createScenario(connection);
  const page = await elsewhere({ baseURL: app.origin, javaScriptEnabled: false });
  await page.context().addCookies([cookieFor(app.origin, token)]);
  await page.goto("/settings");

  proxy.cut();
  await page.getByRole("button", { name: "Log out" }).click();
  await expect(page.getByRole("heading", { name: "You are still logged in" })).toBeVisible();
  const [row] = await connection.sql`
    select count(*)::int as n from sessions where user_id = ${user.id}`;
  expect(row?.n).toBe(2);

  proxy.mend();
  await page.getByRole("button", { name: "Log out" }).click();
  await expect(page).toHaveURL(`${app.origin}/login?notice=logged-out`);
});

test("/api/health answers 503 while the database is down, and before a page gives up if it hangs", async ({
  proxied: { app, proxy, connection },
}) => {
  const { token } = await createScenario(connection);
  const healthy = await httpClient(app).get("/api/health");
  expect(healthy.status).toBe(200);
  expect(JSON.parse(healthy.body)).toEqual({ status: "ok", version: expect.any(String) });

  for (const fail of [proxy.cut, proxy.block]) {
    fail();
    const page = httpClient(app, token).get("/settings");
    const health = httpClient(app).get("/api/health");
    if (fail === proxy.block) expect(await Promise.race([page, health])).toBe(await health);
    const { status, body } = await health;
    expect([status, JSON.parse(body)]).toEqual([503, { status: "unavailable" }]);
    proxy.mend();
    await page;
    expect((await httpClient(app).get("/api/health")).status).toBe(200);
  }
});
