import { createKey, markUsed } from "@/tests/support/api-keys";
import { cookieFor, expect, test } from "@/tests/support/end-to-end";
import { randomClientIp, type SentHeaders, send } from "@/tests/support/http-client";
import { allRows } from "@/tests/support/snapshot";
import { createScenario } from "@/tests/support/surface";
import { createLogin, createUser, password } from "@/tests/support/users";

/* The API's response to malformed and hostile requests: the documented problem, no row changed. */

const json = { "content-type": "application/json" };
const routes = [
  ...["/api/v1/token", "/api/v1/token/refresh", "/api/v1/token/revoke"],
  "/api/v1/token/confirm",
];

/** Returns an access token of an app that `user` has just logged in to. */
async function accessTokenOf(origin: string, { email }: { email: string }): Promise<string> {
  const answer = await post(origin, "/api/v1/token", JSON.stringify({ email, password }));
  return JSON.parse(answer.body).access_token;
}

function post(origin: string, path: string, body: string, headers: SentHeaders = json) {
  return send(origin, path, "POST", { ...randomClientIp(), ...headers }, Buffer.from(body));
}

test("a bad body gets its documented problem, on every route that takes a body", async ({
  app,
  connection,
}) => {
  const { user } = await createScenario(connection);
  const authorization = `Bearer ${await accessTokenOf(app.origin, user)}`;
  const before = await allRows(connection);
  const good = { email: user.email, password };
  const bad: [string, number, string, SentHeaders?][] = [
    ["", 415, "unsupported-media-type", {}],
    [JSON.stringify(good), 415, "unsupported-media-type", { "content-type": "text/plain" }],
    ["a=b", 415, "unsupported-media-type", { "content-type": "application/x-www-form-urlencoded" }],
    ["", 400, "invalid-json"],
    ["{", 400, "invalid-json"],
    ["\0", 400, "invalid-json"],
    ["[".repeat(30_000), 400, "invalid-json"],
    ["null", 422, "invalid-input"],
    ["[]", 422, "invalid-input"],
    ["{}", 422, "invalid-input"],
    [`${"[".repeat(5000)}${"]".repeat(5000)}`, 422, "invalid-input"],
    [JSON.stringify({ ...good, refresh_token: 1 }), 422, "invalid-input"],
    [JSON.stringify({ email: [], password: {}, refresh_token: null }), 422, "invalid-input"],
    [JSON.stringify({ email: `${user.email}\0`, password }), 422, "invalid-input"],
    [JSON.stringify({ x: "y".repeat(65_536) }), 413, "too-large"],
  ];
  for (const path of routes) {
    for (const [body, status, code, headers = json] of bad) {
      const answer = await post(app.origin, path, body, { ...headers, authorization });
      const what = `${path} ${body.slice(0, 60)}`;
      expect(answer.headers["content-type"], what).toBe("application/problem+json");
      expect(JSON.parse(answer.body), what).toMatchObject({ type: "about:blank", status, code });
      expect([answer.status, answer.headers["cache-control"]], what).toEqual([status, "no-store"]);
      if (code === "invalid-input") expect(JSON.parse(answer.body).errors, what).toBeTruthy();
    }
  }
  expect(await allRows(connection)).toEqual(before);
});

test("an unknown field named like an Object member is reported, on every route that takes JSON", async ({
  app,
  connection,
}) => {
  const user = await createUser(connection.db);
  const { session } = await createLogin(connection.db, user);
  const { id, key } = await createKey(connection.db, session);
  await markUsed(connection, { id });
  const accessToken = await accessTokenOf(app.origin, user);
  const before = await allRows(connection);
  const fields = { email: user.email, password };
  for (const path of [...routes, "/api/v1/token/service"]) {
    const bearer = path.endsWith("/service") ? key : accessToken;
    for (const name of ["__proto__", "constructor", "prototype", "toString"]) {
      for (const value of ['{"role":"admin"}', '{"prototype":{"role":"admin"}}']) {
        const body = `{"${name}":${value},${JSON.stringify(fields).slice(1)}`;
        const headers = { ...json, authorization: `Bearer ${bearer}` };
        const answer = await post(app.origin, path, body, headers);
        const problem = JSON.parse(answer.body);
        expect([answer.status, problem.code], path).toEqual([422, "invalid-input"]);
        expect(new Map(Object.entries(problem.errors)).get(name), `${path} ${name}`).toBe(
          "There is no such field.",
        );
      }
    }
  }
  expect(await allRows(connection)).toEqual(before);
  const me = await send(app.origin, "/api/v1/me", "GET", { authorization: `Bearer ${key}` });
  expect(JSON.parse(me.body).role).toBe("user");
});

test("each wrong field is named", async ({ app }) => {
  const body = { email: "no-email", password: "", device_name: "x".repeat(101), extra: 1 };
  const answer = await post(app.origin, "/api/v1/token", JSON.stringify(body));
  expect(JSON.parse(answer.body).errors).toEqual({
    email: "Enter an email like name@example.com.",
    password: "Enter your password.",
    device_name: "Use at most 100 characters.",
    extra: "There is no such field.",
  });
  expect(answer.body).not.toContain("no-email");
});

test("a wrong password and an unknown email get the same answer; only the right one shows a suspension", async ({
  app,
  connection: { db, sql },
}) => {
  const user = await createUser(db);
  const ask = (email: string, typed: string) =>
    post(app.origin, "/api/v1/token", JSON.stringify({ email, password: typed }));
  const [known, unknown] = [await ask(user.email, "wrong"), await ask("no@example.com", "wrong")];
  expect([known.status, known.body]).toEqual([unknown.status, unknown.body]);
  expect(JSON.parse(known.body)).toMatchObject({ status: 401, code: "invalid-credentials" });
  await sql`update users set status = 'suspended' where id = ${user.id}`;
  expect((await ask(user.email, "wrong")).body).toBe(known.body);
  expect(JSON.parse((await ask(user.email, password)).body)).toMatchObject({
    ...{ status: 403, code: "account-suspended" },
  });
  expect(await sql`select from sessions where user_id = ${user.id}`).toHaveLength(0);
});

test("too many requests get 429 with Retry-After", async ({ app, user }) => {
  const place = randomClientIp();
  const body = JSON.stringify({ email: user.email, password: "wrong" });
  for (let tries = 0; tries < 10; tries++)
    expect((await post(app.origin, "/api/v1/token", body, { ...json, ...place })).status).toBe(401);
  const right = JSON.stringify({ email: user.email, password });
  const answer = await post(app.origin, "/api/v1/token", right, { ...json, ...place });
  expect(JSON.parse(answer.body)).toMatchObject({ status: 429, code: "rate-limited" });
  expect(Number(answer.headers["retry-after"])).toBeGreaterThan(0);
});

test("a request from another site is refused with any credential, and changes nothing", async ({
  app,
  connection,
}) => {
  const { user, token } = await createScenario(connection);
  const accessToken = await accessTokenOf(app.origin, user);
  const before = await allRows(connection);
  const body = JSON.stringify({ email: user.email, password });
  const { name } = cookieFor(app.origin, token);
  for (const foreign of [
    { origin: "https://evil.example" },
    { origin: "null" },
    { "sec-fetch-site": "cross-site" },
    { "sec-fetch-site": "same-site" },
    { origin: app.origin, "sec-fetch-site": "cross-site" },
  ]) {
    for (const path of [...routes, "/api/v1/token/service"]) {
      const authorization = `Bearer ${accessToken}`;
      const headers = { ...json, ...foreign, authorization, cookie: `${name}=${token}` };
      const answer = await post(app.origin, path, body, headers);
      expect([answer.status, JSON.parse(answer.body).code]).toEqual([403, "foreign-origin"]);
    }
  }
  expect(await allRows(connection)).toEqual(before);
});

test("the API ignores the session cookie, and sets none", async ({ app, connection }) => {
  const { token } = await createScenario(connection);
  const { name } = cookieFor(app.origin, token);
  const cookie = `${name}=${token}`;
  for (const path of ["/api/v1/me", "/api/v1/sessions"]) {
    const answer = await send(app.origin, path, "GET", { ...randomClientIp(), cookie });
    expect([answer.status, answer.headers["www-authenticate"]]).toEqual([401, "Bearer"]);
    expect(answer.setCookie).toEqual([]);
  }
});

test("an unknown route is a 404 problem, in every version", async ({ app }) => {
  for (const path of ["/api/v1/nothing", "/api/v2/me", "/api/me", "/api/v1/token/refresh/again"])
    for (const method of ["GET", "POST", "PUT", "PATCH", "DELETE"]) {
      const answer = await send(app.origin, path, method, randomClientIp());
      expect([answer.status, JSON.parse(answer.body).code], path).toEqual([404, "not-found"]);
    }
  const wrong = await send(app.origin, "/api/v1/token", "GET", randomClientIp());
  expect([wrong.status, wrong.body]).toEqual([405, ""]);
});

test("the API answers 503 while the database is down", async ({ proxied: { app, proxy } }) => {
  proxy.cut();
  const body = JSON.stringify({ refresh_token: "x".repeat(43) });
  const answer = await post(app.origin, "/api/v1/token/refresh", body);
  expect([answer.status, JSON.parse(answer.body).code]).toEqual([503, "unavailable"]);
  proxy.mend();
  const after = await post(app.origin, "/api/v1/token/refresh", body);
  expect(JSON.parse(after.body).code).toBe("invalid-refresh-token");
});
