import type { Cookie, Page } from "@playwright/test";
import { browserCookiePolicy, sessionPolicy } from "@/lib/auth/policy";
import { days } from "@/lib/time";
import { cookieFor, expect, test } from "@/tests/support/end-to-end";
import { httpClient, tokenFrom, withoutRandom } from "@/tests/support/http-client";
import { allActions, createScenario, shownForm } from "@/tests/support/surface";
import { password } from "@/tests/support/users";

const logIn = allActions().find(({ name }) => name === "logIn") ?? fail();

async function logInAt(page: Page, path: string, email: string, remember = false): Promise<void> {
  await page.goto(path);
  await page.getByLabel("Email").fill(email);
  await page.getByLabel("Password").fill(password);
  if (remember) await page.getByLabel("Remember me").check();
  await page.getByRole("button", { name: "Log in", exact: true }).click();
}

/** Matches the attributes of a cookie that the browser keeps for `lifetime` milliseconds. */
const kept = (lifetime: number) =>
  new RegExp(`^Path=/; Expires=[^;]+; Max-Age=${lifetime / 1000}; Secure; HttpOnly; SameSite=lax$`);

test("the session cookie has exactly the expected attributes, remembered or not", async ({
  app,
  connection,
}) => {
  const { user } = await createScenario(connection);
  const credentials = { email: user.email, password };
  for (const [fields, attributes] of [
    [credentials, "Path=/; Secure; HttpOnly; SameSite=lax"],
    [{ ...credentials, remember: "on" }, kept(sessionPolicy.persistent.absolute)],
  ] as const) {
    const from = httpClient(app);
    const { status, setCookie } = await from.post("/login", await shownForm(from, logIn, fields));
    expect(status).toBe(303);
    expect(setCookie).toHaveLength(2);
    const [, session] = setCookie[0]?.match(/^__Host-session=[\w-]{43}; (.*)$/) ?? [];
    expect(session).toMatch(attributes);
    const [, known] = setCookie[1]?.match(/^__Host-device=[\w-]{44}; (.*)$/) ?? [];
    expect(known).toMatch(kept(browserCookiePolicy.lifetime));
  }
});

test("the browser keeps a remembered session as long as the policy says, any other until it closes", async ({
  user,
  elsewhere,
}) => {
  for (const remember of [false, true]) {
    const page = await elsewhere();
    await logInAt(page, "/login", user.email, remember);
    await expect(page).toHaveURL("/dashboard");
    const cookie = await sessionCookieOf(page);
    const left = (cookie?.expires ?? 0) * 1000 - Date.now();
    if (remember)
      expect(left / days(1)).toBeCloseTo(sessionPolicy.persistent.absolute / days(1), 1);
    else expect(cookie?.expires).toBe(-1);
  }
});

test("next redirects after the login, but never to another site", async ({ app, connection }) => {
  const { user } = await createScenario(connection);
  const targets: Record<string, string> = {
    "/settings/devices": "/settings/devices",
    "/settings/devices?notice=x": "/settings/devices?notice=x",
    "//evil.example": "/dashboard",
    "/\\evil.example": "/dashboard",
    "/%09/evil.example": "/dashboard",
    "/\t/evil.example": "/dashboard",
    "https://evil.example": "/dashboard",
    "https:evil.example": "/dashboard",
    "javascript:alert(1)": "/dashboard",
    "/.//evil.example": "/dashboard",
    "": "/dashboard",
  };
  for (const [next, expected] of Object.entries(targets)) {
    const from = httpClient(app);
    const shown = await from.get(`/login?next=${encodeURIComponent(next)}`);
    expect(shown.body, next).toContain(`name="next" value="${expected}"`);
    const form = await shownForm(from, logIn, { email: user.email, password, next });
    const answer = await from.post("/login", form);
    expect(answer.headers.location, next).toBe(expected);
    // A user who is already logged in is redirected by the same rule.
    const again = httpClient(app, tokenFrom(answer));
    const sent = await again.get(`/login?next=${encodeURIComponent(next)}`);
    expect([sent.status, sent.headers.location], next).toEqual([307, expected]);
  }
});

test("a wrong password and an unknown email get the same answer", async ({ app, connection }) => {
  const { user } = await createScenario(connection);
  const bodies = [];
  for (const email of [user.email, `unknown-${user.email}`]) {
    const from = httpClient(app);
    const form = await shownForm(from, logIn, { email, password: "a wrong one, surely" });
    const answer = await from.post("/login", form);
    expect([answer.status, answer.setCookie]).toEqual([200, []]);
    expect(answer.body).toContain("Email or password is incorrect.");
    bodies.push(withoutRandom(answer.body).replaceAll(email, ""));
  }
  expect(bodies[0]).toBe(bodies[1]);
});

test("a login replaces a planted cookie with a new one", async ({
  app,
  page,
  user,
  connection,
}) => {
  const attacker = await createScenario(connection);
  await page.context().addCookies([cookieFor(app.origin, "p".repeat(43))]);
  await logInAt(page, "/login", user.email);
  await expect(page).toHaveURL("/dashboard");
  const cookie = await sessionCookieOf(page);
  expect(cookie?.value).not.toBe("p".repeat(43));
  expect((await httpClient(app, "p".repeat(43)).get("/dashboard")).status).toBe(307);

  // A live session of the attacker, planted before the victim logs in, ends at that login.
  const from = httpClient(app, attacker.token);
  const form = await shownForm(httpClient(app), logIn, { email: user.email, password });
  expect((await from.post("/login", form)).status).toBe(303);
  expect((await httpClient(app, attacker.token).get("/dashboard")).status).toBe(307);
});

async function sessionCookieOf(page: Page): Promise<Cookie | undefined> {
  const cookies = await page.context().cookies();
  return cookies.find(({ name }) => name === "__Host-session");
}

function fail(): never {
  throw new Error("The build has no action logIn.");
}
