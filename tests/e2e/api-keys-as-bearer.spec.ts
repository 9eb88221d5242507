import { createLocalJWKSet } from "jose";
import { sessionCookie } from "@/lib/auth/sessions/cookie";
import { newApiKey } from "@/lib/auth/tokens/api-key-format";
import { revokeApiKey, type Scope } from "@/lib/auth/tokens/api-keys";
import { verifyAccessToken } from "@/lib/auth/tokens/jwt";
import type { Connection } from "@/lib/db/client";
import { product } from "@/lib/product";
import { createKey, markUsed } from "@/tests/support/api-keys";
import type { App } from "@/tests/support/app";
import { expect, test } from "@/tests/support/end-to-end";
import { type Answer, randomClientIp, type SentHeaders, send } from "@/tests/support/http-client";
import { allRows } from "@/tests/support/snapshot";
import { createLogin, createUser, password } from "@/tests/support/users";

/* API keys as a program presents them: which ones work, which do not, and the response to each. */

async function createOwner({ db }: Connection, scopes?: Scope[]) {
  const user = await createUser(db);
  const { session } = await createLogin(db, user);
  const { id, key } = await createKey(db, session, scopes && { scopes });
  return { user, session, id, key };
}

function ask(app: App, path: string, bearer?: string, headers: SentHeaders = {}): Promise<Answer> {
  const authorization = bearer === undefined ? undefined : `Bearer ${bearer}`;
  const method = path.startsWith("/api/v1/token") ? "POST" : "GET";
  return send(app.origin, path, method, { authorization, ...randomClientIp(), ...headers });
}

async function exchange(app: App, key: string, wanted?: object): Promise<string> {
  return JSON.parse((await exchanged(app, key, wanted)).body).access_token;
}

/** Exchanges a key for a token. Without `wanted`, the request has no body. */
function exchanged(app: App, key: string, wanted?: object | string): Promise<Answer> {
  if (wanted === undefined) return ask(app, "/api/v1/token/service", key);
  const headers = {
    ...{ authorization: `Bearer ${key}`, "content-type": "application/json" },
    ...randomClientIp(),
  };
  const body = typeof wanted === "string" ? wanted : JSON.stringify(wanted);
  return send(app.origin, "/api/v1/token/service", "POST", headers, Buffer.from(body));
}

function claimsOf(jwt: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(`${jwt.split(".")[1]}`, "base64url").toString());
}

function end(app: App, id: string, bearer: string): Promise<Answer> {
  const headers = { authorization: `Bearer ${bearer}`, ...randomClientIp() };
  return send(app.origin, `/api/v1/sessions/${id}`, "DELETE", headers);
}

function expectRefused(answer: Answer, what: string): void {
  expect([answer.status, JSON.parse(answer.body).code], what).toEqual([401, "invalid-token"]);
  expect(answer.headers["www-authenticate"], what).toMatch(/^Bearer/);
  expect(answer.headers["content-type"], what).toContain("application/problem+json");
}

test("a key with another checksum or prefix, or not sent as Bearer, is refused", async ({
  app,
  connection,
}) => {
  const { key } = await createOwner(connection);
  expect((await ask(app, "/api/v1/me", key)).status).toBe(200);
  const last = key.at(-1) === "0" ? "1" : "0";
  const wrong = [
    key.slice(0, -1) + last,
    key.replace(product.apiKeyPrefix, "another_"),
    key.replace(product.apiKeyPrefix, ""),
    `${key}0`,
    key.toUpperCase(),
    `${key} ${key}`,
    `${key},${key}`,
    newApiKey("user"),
    "",
  ];
  for (const path of ["/api/v1/me", "/api/v1/sessions", "/api/v1/token/service"])
    for (const bearer of [...wrong, undefined])
      expectRefused(await ask(app, path, bearer), `${path} ${bearer}`);

  const elsewhere: SentHeaders[] = [
    { cookie: `${sessionCookie(app.origin).name}=${key}` },
    { "x-api-key": key },
    { authorization: `Basic ${Buffer.from(`${key}:`).toString("base64")}` },
    { authorization: key },
  ];
  for (const headers of elsewhere)
    expectRefused(await ask(app, "/api/v1/me", undefined, headers), Object.keys(headers).join());
  expectRefused(await ask(app, `/api/v1/me?access_token=${newApiKey("user")}`), "in the address");
});

test("a key opens no page", async ({ app, connection }) => {
  const { key, user } = await createOwner(connection);
  for (const path of ["/dashboard", "/settings/api-keys", "/settings/profile"]) {
    const { status, body } = await ask(app, path, key);
    expect(status, path).toBe(307);
    expect(body, path).not.toContain(user.email);
  }
});

for (const [how, end] of Object.entries({
  revoked: ({ db }: Connection, owner: Awaited<ReturnType<typeof createOwner>>) =>
    revokeApiKey(db, owner.session, owner.id),
  expired: ({ sql }, { id }) => sql`update api_keys set expires_at = now() where id = ${id}`,
  "its owner suspended": ({ sql }, { user }) =>
    sql`update users set status = 'suspended' where id = ${user.id}`,
  "its owner gone": ({ sql }, { user }) => sql`delete from users where id = ${user.id}`,
} satisfies Record<
  string,
  (connection: Connection, owner: Awaited<ReturnType<typeof createOwner>>) => unknown
>))
  test(`${how}: the very next request with the key or its token is refused`, async ({
    app,
    connection,
  }) => {
    const owner = await createOwner(connection);
    const token = await exchange(app, owner.key);
    for (const bearer of [owner.key, token])
      expect((await ask(app, "/api/v1/me", bearer)).status).toBe(200);
    await end(connection, owner);
    for (const bearer of [owner.key, token])
      for (const path of ["/api/v1/me", "/api/v1/token/service"])
        expectRefused(await ask(app, path, bearer), path);
  });

test("what a key may not do, its token may not either", async ({ app, connection }) => {
  const { key } = await createOwner(connection, ["sessions:read"]);
  for (const bearer of [key, await exchange(app, key)]) {
    expect((await ask(app, "/api/v1/sessions", bearer)).status).toBe(200);
    const { status, headers, body } = await ask(app, "/api/v1/me", bearer);
    expect([status, JSON.parse(body).code]).toEqual([403, "insufficient-scope"]);
    expect(headers["www-authenticate"]).toBe(
      'Bearer error="insufficient_scope", scope="profile:read"',
    );
  }
});

test("a key sees and ends only its owner's devices", async ({ app, connection }) => {
  const [owner, otherUser] = [await createOwner(connection), await createOwner(connection)];
  const list = JSON.parse((await ask(app, "/api/v1/sessions", owner.key)).body);
  expect(list).toMatchObject([{ id: owner.session.id, current: false }]);
  expect((await end(app, otherUser.session.id, owner.key)).status).toBe(404);
  expect(
    await connection.sql`select from sessions where id = ${otherUser.session.id}`,
  ).toHaveLength(1);
  expect((await end(app, owner.session.id, owner.key)).status).toBe(204);
  expect(await connection.sql`select from sessions where id = ${owner.session.id}`).toHaveLength(0);
});

test("only a key can be exchanged for a token, not another token", async ({ app, connection }) => {
  const { key, user } = await createOwner(connection);
  const body = JSON.stringify({ email: user.email, password });
  const headers = { "content-type": "application/json", ...randomClientIp() };
  const login = await send(app.origin, "/api/v1/token", "POST", headers, Buffer.from(body));
  const { access_token, refresh_token } = JSON.parse(login.body);
  for (const bearer of [await exchange(app, key), access_token, refresh_token])
    expectRefused(await ask(app, "/api/v1/token/service", bearer), bearer);
});

test("a key sent by a page of another site is refused before the lookup", async ({
  app,
  connection,
}) => {
  const { key } = await createOwner(connection);
  for (const headers of [
    { origin: "https://evil.example" },
    { "sec-fetch-site": "cross-site" },
    { origin: "null" },
  ]) {
    const answer = await ask(app, "/api/v1/token/service", key, headers);
    expect([answer.status, JSON.parse(answer.body).code]).toEqual([403, "foreign-origin"]);
  }
  const [row] = await connection.sql`select last_used_at from api_keys order by created_at desc`;
  expect(row?.last_used_at).toBeNull();
});

test("a token for another service opens nothing here, and is accepted only there", async ({
  app,
  connection,
}) => {
  const { key, user, session } = await createOwner(connection);
  const { body } = await send(app.origin, "/.well-known/jwks.json", "GET", {});
  const jwks = createLocalJWKSet(JSON.parse(body));
  const paths = [
    "/api/v1/me",
    "/api/v1/sessions",
    "/api/v1/token/service",
    "/api/v1/token/confirm",
  ];
  for (const audience of [
    "https://reports.example.com",
    "https://reports.example.com/v1",
    "reports",
  ]) {
    const token = await exchange(app, key, { audience });
    expect(claimsOf(token)).toMatchObject({ aud: audience, iss: app.origin, sub: user.id });
    expect(await verifyAccessToken(jwks, app.origin, token, audience)).not.toBeNull();
    expect(await verifyAccessToken(jwks, app.origin, token, `${audience}2`)).toBeNull();
    for (const path of paths) expectRefused(await ask(app, path, token), `${path} ${audience}`);
    expectRefused(await end(app, session.id, token), audience);
  }
  expect(await connection.sql`select from sessions where id = ${session.id}`).toHaveLength(1);

  for (const wanted of [undefined, {}, { audience: app.origin }]) {
    const token = await exchange(app, key, wanted);
    expect(claimsOf(token).aud).toBe(app.origin);
    expect((await ask(app, "/api/v1/me", token)).status).toBe(200);
  }
});

test("a token has only the requested scopes, and the answer lists them", async ({
  app,
  connection,
}) => {
  const all: Scope[] = ["profile:read", "sessions:read", "sessions:write"];
  const { key, session } = await createOwner(connection, all);
  for (const [asked, granted] of [
    ["profile:read", "profile:read"],
    ["sessions:read profile:read", "profile:read sessions:read"],
    ["profile:read profile:read", "profile:read"],
    [undefined, all.join(" ")],
  ]) {
    const answer = JSON.parse((await exchanged(app, key, { scope: asked })).body);
    expect(answer).toEqual({
      ...{ access_token: expect.any(String), token_type: "Bearer", expires_in: 600 },
      scope: granted,
    });
    expect(claimsOf(answer.access_token).scope).toBe(granted);
  }
  const token = await exchange(app, key, { scope: "profile:read" });
  expect((await ask(app, "/api/v1/me", token)).status).toBe(200);
  for (const answer of [
    await ask(app, "/api/v1/sessions", token),
    await end(app, session.id, token),
  ])
    expect([answer.status, JSON.parse(answer.body).code]).toEqual([403, "insufficient-scope"]);
  expect(await connection.sql`select from sessions where id = ${session.id}`).toHaveLength(1);
});

test("a token loses a scope as soon as its key does", async ({ app, connection }) => {
  const { key, id, session } = await createOwner(connection);
  const token = await exchange(app, key);
  await connection.sql`update api_keys set scopes = '{profile:read}' where id = ${id}`;
  expect((await ask(app, "/api/v1/me", token)).status).toBe(200);
  const answer = await end(app, session.id, token);
  expect([answer.status, JSON.parse(answer.body).code]).toEqual([403, "insufficient-scope"]);
  expect(await connection.sql`select from sessions where id = ${session.id}`).toHaveLength(1);
});

test("a scope that the key lacks is refused, and no token is issued", async ({
  app,
  connection,
}) => {
  const { key, id } = await createOwner(connection, ["profile:read"]);
  await markUsed(connection, { id });
  const before = await allRows(connection);
  for (const [scope, lacking] of [
    ["sessions:write", "sessions:write"],
    ["profile:read sessions:read sessions:write", "sessions:read, sessions:write"],
    ["everything", "everything"],
    ["__proto__", "__proto__"],
    ["PROFILE:READ", "PROFILE:READ"],
  ]) {
    const answer = await exchanged(app, key, { scope });
    const problem = JSON.parse(answer.body);
    expect([answer.status, problem.code], scope).toEqual([400, "invalid-scope"]);
    expect(problem.errors).toEqual({ scope: `The key does not have ${lacking}.` });
    expect(problem).not.toHaveProperty("access_token");
  }
  const wrong: Record<string, unknown[]> = {
    scope: ["", " ", "profile:read ", " profile:read", "a  b", "a\tb", 'a"b', "é", [], null, 1],
    audience: [
      ...["", " ", "http://reports.example.com", "https://", "https://a b", "//reports", "*"],
      ...["https://user:secret@reports.example.com", "https://reports.example.com/#x", "a/b"],
      ...["urn:reports", "javascript:alert(1)", "-reports", "é", "x".repeat(256), "a\0", null, 1],
      ["https://reports.example.com", app.origin],
    ],
    audiences: ["reports"],
  };
  for (const [field, values] of Object.entries(wrong))
    for (const value of values) {
      const answer = await exchanged(app, key, { [field]: value });
      const problem = JSON.parse(answer.body);
      const what = `${field} ${JSON.stringify(value)}`;
      expect([answer.status, problem.code], what).toEqual([422, "invalid-input"]);
      expect(Object.keys(problem.errors), what).toEqual([field]);
    }
  for (const [body, status] of [
    ["{", 400],
    [" ", 400],
    ["[]", 422],
    ["null", 422],
    ["x".repeat(65_537), 413],
  ] as const)
    expect((await exchanged(app, key, body)).status, body.slice(0, 9)).toBe(status);
  const form = { "content-type": "application/x-www-form-urlencoded" };
  const headers = { authorization: `Bearer ${key}`, ...form, ...randomClientIp() };
  const body = Buffer.from("scope=profile:read");
  const answer = await send(app.origin, "/api/v1/token/service", "POST", headers, body);
  expect(answer.status).toBe(415);
  expect(await allRows(connection)).toEqual(before);
});

test("a key with sessions:write logs its owner out of every device without a proof, as the page says", async ({
  app,
  connection,
  loggedIn,
  user,
}) => {
  await loggedIn.goto("/settings/api-keys");
  const choice = loggedIn.getByRole("group", { name: "What it may do" });
  await expect(choice).toContainText(
    "Log you out of any device, and of all of them, without your password.",
  );
  const { session } = await createLogin(connection.db, user);
  const { key } = await createKey(connection.db, session, { scopes: ["sessions:write"] });
  await connection.sql`
    update sessions set authenticated_at = now() - interval '1 day' where user_id = ${user.id}`;
  const rows = await connection.sql<{ id: string }[]>`
    select id from sessions where user_id = ${user.id}`;
  expect(rows.length).toBeGreaterThan(1);
  for (const { id } of rows) expect((await end(app, id, key)).status).toBe(204);
  expect(await connection.sql`select from sessions where user_id = ${user.id}`).toHaveLength(0);
});
