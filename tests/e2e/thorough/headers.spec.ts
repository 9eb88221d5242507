import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { Page } from "@playwright/test";
import { themeScript } from "@/lib/theme";
import { cookieFor, expect, test } from "@/tests/support/end-to-end";
import { type Answer, httpClient, send, tokenFrom } from "@/tests/support/http-client";
import {
  allActions,
  allPages,
  allPaths,
  createScenario,
  formBody,
  holdsToken,
  ways,
} from "@/tests/support/surface";
import { createLogin, password } from "@/tests/support/users";

/* The headers that every response has, and what none may contain. */

test.use({ live: true });

const hashed = `<script>${themeScript}</script>`;

/** All pages except those that are the same for every visitor. */
const personal = new Set(
  [...allPages(), "/dashboard/nothing"]
    .filter((path) => !["/", "/docs/api", "/pricing"].includes(path))
    .map((path) => path.replace(/[\w-]{43}/, "<token>")),
);

const nothingThere = ["/nothing", "/dashboard/nothing", "/api/nothing", "/_next/static/nothing.js"];

/** Returns every path to GET: routes, the files that a page loads, and missing paths. */
async function crawlPaths(origin: string): Promise<string[]> {
  const { body } = await send(origin, "/", "GET", {});
  const files = [...body.matchAll(/(?:src|href)="(\/_next\/[^"#]+)/g)].map(
    ([, file]) => file ?? "",
  );
  expect(files.length).toBeGreaterThan(3);
  return [...allPaths(), ...new Set(files), ...nothingThere];
}

function expectSecured(answer: Answer, where: string): void {
  const { headers } = answer;
  const policy = String(headers["content-security-policy"]);
  if (isOfBuild(answer)) expectHashes(answer, policy, where);
  else expect(policy, where).toMatch(/script-src [^;]*'nonce-[\w+/=]{22,}'[^;]*'strict-dynamic'/);
  for (const part of [
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
  ])
    expect(policy, where).toContain(part);
  expect(policy, where).not.toMatch(/unsafe-/);
  expectBasics(answer, where);
  // If an action redirects, Next adds the target page to the response, with its headers.
  const shown = String(headers["x-action-redirect"] ?? where);
  const referrer = holdsToken(shown) ? "no-referrer" : "strict-origin-when-cross-origin";
  expect(headers["referrer-policy"], where).toBe(referrer);
  if (answer.setCookie.length > 0) expect(headers["cache-control"], where).toContain("no-store");
}

/** Whether a response is a page of the build: the same bytes for all visitors, without a nonce. */
function isOfBuild({ headers }: Answer): boolean {
  return headers["x-nextjs-prerender"] !== undefined;
}

/**
 * Expects a policy that lists the page's inline scripts, and otherwise allows only
 * the site's files.
 */
function expectHashes({ headers, body }: Answer, policy: string, where: string): void {
  const [, sources = ""] = /script-src ([^;]*)/.exec(policy) ?? [];
  expect(sources, where).toMatch(/^'self'( 'sha256-[\w+/]{43}=')+$/);
  if (!headers["content-type"]?.startsWith("text/html")) return;
  const scripts = [...body.matchAll(/<script(?![^>]* src=)[^>]*>(.*?)<\/script>/gs)];
  expect(scripts.length, where).toBeGreaterThan(1);
  for (const [, text = ""] of scripts)
    expect(sources, where).toContain(createHash("sha256").update(text).digest("base64"));
}

/** Expects the headers of a GET response that is not a page, and so loads nothing. */
function expectSecuredByDefault(answer: Answer, where: string): void {
  expect(answer.headers["content-security-policy"], where).toBe(
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  );
  expect(answer.headers["referrer-policy"], where).toBe("no-referrer");
  expectBasics(answer, where);
}

function expectBasics({ headers }: Answer, where: string): void {
  expect(headers["strict-transport-security"], where).toMatch(
    /^max-age=\d{8,}; includeSubDomains$/,
  );
  expect(headers["x-content-type-options"], where).toBe("nosniff");
  expect(headers["permissions-policy"], where).toBeTruthy();
  expect(headers["cross-origin-opener-policy"], where).toBe("same-origin");
  expect(headers["cross-origin-resource-policy"], where).toBe("same-origin");
  expect(headers["x-powered-by"], where).toBeUndefined();
  // The name of the header with the peer's IP address is a server secret: see lib/http.ts.
  expect(JSON.stringify(headers), where).not.toContain("x-peer-");
}

/**
 * Returns the nonce of a response, after checking that all its scripts and styles have it, except
 * the one with a hash.
 */
function expectNonce({ headers, body }: Answer, where: string): string {
  const policy = String(headers["content-security-policy"]);
  const [, nonce] = /'nonce-([^']+)'/.exec(policy) ?? [];
  if (headers["content-type"]?.startsWith("text/html"))
    for (const [tag] of body.replace(hashed, "").matchAll(/<(script|style)\b[^>]*>/g))
      expect(tag, where).toContain(`nonce="${nonce}"`);
  return nonce ?? "";
}

for (const who of ["a user", "a visitor"]) {
  test(`every GET of ${who} has every header, and a nonce of its own`, async ({
    app,
    connection,
  }) => {
    const { token } = await createScenario(connection);
    const from = httpClient(app, who === "a user" ? token : undefined);
    const nonces = [];
    for (const path of await crawlPaths(app.origin)) {
      const answer = await from.get(path);
      if (isOfBuild(answer)) expectSecured(answer, path);
      else if (answer.headers["content-type"]?.startsWith("text/html")) {
        expectSecured(answer, path);
        nonces.push(expectNonce(answer, path));
      } else expectSecuredByDefault(answer, path);
      if (path.startsWith("/_next/static/")) continue;
      expect(answer.setCookie, path).toEqual([]);
      const isPersonal = personal.has(path.replace(/[\w-]{43}/, "<token>"));
      // Browsers do not store a temporary redirect without Cache-Control (RFC 9110, 15.4.8).
      const leadsOn = answer.status === 307 && !answer.headers["cache-control"];
      // A handler without a GET shows nothing.
      const isHandler = answer.status === 405;
      if (isPersonal && !leadsOn && !isHandler) {
        expect(answer.headers["cache-control"], path).toContain("private");
        expect(answer.headers["cache-control"], path).toContain("no-store");
      }
    }
    expect(new Set(nonces).size).toBe(nonces.length);
    expect(nonces.length).toBeGreaterThan(10);
  });
}

test("public pages are files of the build: the same for every visitor, and kept by caches", async ({
  app,
  connection,
}) => {
  const { token } = await createScenario(connection);
  for (const path of ["/", "/pricing", "/docs/api", "/nothing"]) {
    const answers = [await httpClient(app).get(path), await httpClient(app, token).get(path)];
    for (const answer of answers) {
      expect(answer.status, path).toBe(path === "/nothing" ? 404 : 200);
      expect(isOfBuild(answer), path).toBe(true);
      if (path !== "/nothing") expect(answer.headers["cache-control"], path).toContain("s-maxage");
    }
    expect(answers[0]?.body, path).toBe(answers[1]?.body);
  }
  // A missing path below a page that needs a session also gets the build's "not found" page.
  const inside = await httpClient(app, token).get("/settings/nothing");
  expect([inside.status, isOfBuild(inside)]).toEqual([404, true]);
});

test("answers of every status have every header, also those that Next gives by itself", async ({
  app,
  connection,
}) => {
  const { token } = await createScenario(connection);
  const from = httpClient(app, token);
  const secured: [number, string, Promise<Answer>][] = [
    [200, "/settings", from.get("/settings")],
    [307, "/dashboard", httpClient(app).get("/dashboard")],
    [303, "/logout", httpClient(app).post("/logout", "")],
    [400, "/admin/users/%", from.get("/admin/users/%")],
    [400, "/dashboard", from.get("/dashboard", { rsc: "1", "next-router-state-tree": "x" })],
    [403, "/logout", from.post("/logout", "", { origin: "https://evil.example" })],
    [404, "/nothing", from.get("/nothing")],
    [405, "/login", send(app.origin, "/login", "TRACE", {})],
    [409, "/login", from.post("/login", "[]", { "next-action": "60".padEnd(42, "0") })],
    [413, "/login", from.post("/login", "x".repeat(1024 * 1024 + 1))],
    [503, "/unavailable", from.get("/unavailable")],
  ];
  for (const [status, path, answering] of secured) {
    const answer = await answering;
    expect(answer.status, path).toBe(status);
    expectSecured(answer, path);
  }
  const noMethod = await from.get("/settings/profile/data");
  expect(noMethod.status).toBe(405);
  expectSecuredByDefault(noMethod, "/settings/profile/data");
  for (const path of ["/login/", "//login", "/\\login", "/a//b", `/reset-password/${token}/`]) {
    const answer = await from.get(path);
    expect(answer.status, path).toBe(308);
    expectSecuredByDefault(answer, path);
    expect(answer.headers.location, path).toMatch(/^\/(?!\/)/);
  }
});

test("a POST of another site's page, and one without a session, have every header", async ({
  app,
  connection,
}) => {
  const { token, fieldsOf } = await createScenario(connection);
  const foreign = { origin: "https://evil.example" };
  for (const call of Object.values(ways))
    for (const action of allActions()) {
      const answer = await call(httpClient(app, token), action, fieldsOf(action), foreign);
      expectSecured(answer, action.path);
    }
  const data = "/settings/profile/data";
  expectSecured(await httpClient(app, token).post(data, ""), data);
  expectSecured(await httpClient(app).post(data, ""), data);
  expectSecured(await httpClient(app, token).post("/logout", ""), "/logout");
  expectSecured(await httpClient(app).post("/logout", "", { origin: "null" }), "/logout");
});

test("the answer to every POST has every header; only Set-Cookie holds a session's token or hash, no log does", async ({
  app,
  connection,
}) => {
  const { user } = await createScenario(connection);
  const logIn = allActions().find(({ name }) => name === "logIn");
  if (!logIn) throw new Error("The build has no action logIn.");
  const body = formBody(logIn, { email: user.email, password, next: "/dashboard" });
  const loggedIn = await httpClient(app).post("/login", body);
  const token = tokenFrom(loggedIn);
  if (!token) throw new Error("No user was logged in.");

  const forms = formsOf(token);
  const expectNone = (answer: Answer, where: string) => {
    const { "set-cookie": _, ...headers } = answer.headers;
    const text = JSON.stringify(headers) + answer.body;
    expect(
      forms.filter((form) => text.includes(form)),
      where,
    ).toEqual([]);
  };

  expectNone(loggedIn, "login");
  const from = httpClient(app, token);
  for (const path of await crawlPaths(app.origin)) {
    expectNone(await from.get(path), path);
    const flight = await from.get(path, { rsc: "1" });
    expectNone(flight, path);
    if (flight.headers.location?.includes("_rsc"))
      expectNone(await from.get(flight.headers.location, { rsc: "1" }), path);
  }
  for (const call of Object.values(ways)) {
    for (const action of allActions()) {
      const who = await createScenario(connection);
      const answer = await call(httpClient(app, who.token), action, who.fieldsOf(action));
      forms.push(...formsOf(who.token), ...formsOf(tokenFrom(answer) ?? who.token));
      expectNone(answer, action.name);
      expectSecured(answer, action.path);
    }
  }
  expectNone(await from.post("/logout", "", { origin: "null" }), "/logout, refused");
  expectNone(await from.post("/logout", ""), "/logout");

  const log = await readFile(app.log, "utf8");
  expect(forms.filter((form) => log.includes(form))).toEqual([]);
});

/** Returns a token and its hash in every form in which they may be written. */
function formsOf(token: string): string[] {
  const digest = createHash("sha256").update(token).digest();
  return [token, ...(["hex", "base64", "base64url"] as const).map((as) => digest.toString(as))];
}

/** Collects console messages about a page that differs from its HTML or violates its own policy. */
function complaints(page: Page): string[] {
  const said: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") said.push(message.text());
  });
  page.on("pageerror", (error) => said.push(error.message));
  return said;
}

/**
 * Waits until React has hydrated the page: from then on, its elements have a property set by React.
 * React logs differences from the server's HTML before that. The idle moment afterwards lets
 * effects run. A page without our scripts needs no wait.
 */
async function untilHydrated(page: Page): Promise<void> {
  await page.waitForFunction(
    () =>
      !document.querySelector("script[src*='/_next/']") ||
      [...document.querySelectorAll("body *")].some((element) =>
        Object.keys(element).some((key) => key.startsWith("__reactFiber")),
      ),
  );
  await page.evaluate(() => new Promise((resolve) => requestIdleCallback(resolve)));
}

for (const colorScheme of ["light", "dark"] as const) {
  test(`no page logs a warning or an error in the ${colorScheme} theme`, async ({
    app,
    connection,
    elsewhere,
  }) => {
    test.slow(); // every page, twice
    const { user, linkPaths } = await createScenario(connection);
    const { token } = await createLogin(connection.db, user);
    const notFound = ["/signup/nothing", "/reset-password/nothing", "/nothing"];
    for (const who of [undefined, token]) {
      const page = await elsewhere({ colorScheme });
      if (who) await page.context().addCookies([cookieFor(app.origin, who)]);
      const said = complaints(page);
      const from = httpClient(app, who);
      const seen = new Set<string>();
      for (const path of [...allPages(), "/unavailable", ...linkPaths, ...notFound]) {
        // Many pages redirect a visitor to the login, which is visited only once.
        const { location = path } = (await from.get(path)).headers;
        const { pathname } = new URL(location, app.origin);
        if (seen.has(pathname)) continue;
        seen.add(pathname);
        await page.goto(path);
        await untilHydrated(page);
        const unexpected = said
          .splice(0)
          .filter((text) => !/Failed to load resource: .* (404|503)/.test(text) && text !== "");
        expect(unexpected, path).toEqual([]);
      }
    }
  });
}
