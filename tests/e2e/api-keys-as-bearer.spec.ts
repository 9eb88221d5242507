import { newApiKey } from "@/lib/auth/api-key-format";
import { revokeApiKey, type Scope } from "@/lib/auth/api-keys";
import { sessionCookie } from "@/lib/auth/cookie";
import type { Connection } from "@/lib/db/client";
import { createKey } from "@/tests/support/api-keys";
import type { App } from "@/tests/support/app";
import { createLogin, createPerson, password } from "@/tests/support/people";
import { expect, test } from "@/tests/support/story";
import { type Answer, type SentHeaders, send, somewhere } from "@/tests/support/visitor";

/* A key as a program shows it: what counts, what does not, and what each is told. */

async function createOwner({ db }: Connection, scopes?: Scope[]) {
  const person = await createPerson(db);
  const { session } = await createLogin(db, person);
  const { id, key } = await createKey(db, session, scopes && { scopes });
  return { person, session, id, key };
}

function ask(app: App, path: string, bearer?: string, headers: SentHeaders = {}): Promise<Answer> {
  const authorization = bearer === undefined ? undefined : `Bearer ${bearer}`;
  const method = path.startsWith("/api/v1/token") ? "POST" : "GET";
  return send(app.origin, path, method, { authorization, ...somewhere(), ...headers });
}

async function exchange(app: App, key: string): Promise<string> {
  return JSON.parse((await ask(app, "/api/v1/token/service", key)).body).access_token;
}

function expectRefused(answer: Answer, what: string): void {
  expect([answer.status, JSON.parse(answer.body).code], what).toEqual([401, "invalid-token"]);
  expect(answer.headers["www-authenticate"], what).toMatch(/^Bearer/);
  expect(answer.headers["content-type"], what).toContain("application/problem+json");
}

test("a key is no key with another checksum, prefix or place", async ({ app, connection }) => {
  const { key } = await createOwner(connection);
  expect((await ask(app, "/api/v1/me", key)).status).toBe(200);
  const last = key.at(-1) === "0" ? "1" : "0";
  const wrong = [
    key.slice(0, -1) + last,
    key.replace("lk_live_", "lk_test_"),
    key.replace("lk_live_", ""),
    `${key}0`,
    key.toUpperCase(),
    `${key} ${key}`,
    `${key},${key}`,
    newApiKey(),
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
  expectRefused(await ask(app, `/api/v1/me?access_token=${newApiKey()}`), "in the address");
});

test("a key opens no page", async ({ app, connection }) => {
  const { key, person } = await createOwner(connection);
  for (const path of ["/dashboard", "/settings/api-keys", "/settings/profile/data"]) {
    const { status, body } = await ask(app, path, key);
    expect(status, path).toBe(307);
    expect(body, path).not.toContain(person.email);
  }
});

for (const [how, end] of Object.entries({
  revoked: ({ db }: Connection, owner: Awaited<ReturnType<typeof createOwner>>) =>
    revokeApiKey(db, owner.session, owner.id),
  expired: ({ sql }, { id }) => sql`update api_keys set expires_at = now() where id = ${id}`,
  "its owner suspended": ({ sql }, { person }) =>
    sql`update users set status = 'suspended' where id = ${person.id}`,
  "its owner gone": ({ sql }, { person }) => sql`delete from users where id = ${person.id}`,
} satisfies Record<
  string,
  (connection: Connection, owner: Awaited<ReturnType<typeof createOwner>>) => unknown
>))
  test(`${how}: the very next request is refused, by the key and by its token`, async ({
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

test("a key sees and ends its owner's devices alone", async ({ app, connection }) => {
  const [owner, stranger] = [await createOwner(connection), await createOwner(connection)];
  const list = JSON.parse((await ask(app, "/api/v1/sessions", owner.key)).body);
  expect(list).toMatchObject([{ id: owner.session.id, current: false }]);
  const end = (id: string) =>
    send(app.origin, `/api/v1/sessions/${id}`, "DELETE", {
      ...{ authorization: `Bearer ${owner.key}`, ...somewhere() },
    });
  expect((await end(stranger.session.id)).status).toBe(404);
  expect(await connection.sql`select from sessions where id = ${stranger.session.id}`).toHaveLength(
    1,
  );
  expect((await end(owner.session.id)).status).toBe(204);
  expect(await connection.sql`select from sessions where id = ${owner.session.id}`).toHaveLength(0);
});

test("only the key itself is exchanged: no token for a token", async ({ app, connection }) => {
  const { key, person } = await createOwner(connection);
  const body = JSON.stringify({ email: person.email, password });
  const headers = { "content-type": "application/json", ...somewhere() };
  const login = await send(app.origin, "/api/v1/token", "POST", headers, Buffer.from(body));
  const { access_token, refresh_token } = JSON.parse(login.body);
  for (const bearer of [await exchange(app, key), access_token, refresh_token])
    expectRefused(await ask(app, "/api/v1/token/service", bearer), bearer);
});

test("a key in a page of another site is refused before it is looked at", async ({
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
