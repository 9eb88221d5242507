import { sudoPolicy } from "@/lib/auth/policy";
import type { Connection } from "@/lib/db/client";
import { minutes } from "@/lib/time";
import { createKey, markUsed } from "@/tests/support/api-keys";
import type { App } from "@/tests/support/app";
import { expect, listening, test } from "@/tests/support/end-to-end";
import { type Answer, randomClientIp, type SentHeaders, send } from "@/tests/support/http-client";
import { allRows } from "@/tests/support/snapshot";
import { createLogin, createUser, password, type TestUser } from "@/tests/support/users";

test.use({ live: true });

/* A phone, simulated by a script: no cookies, no Origin, JSON in and out. */

type Pair = { access_token: string; refresh_token: string };

function phone(app: App) {
  const place = randomClientIp();
  const headers = {
    "content-type": "application/json",
    "user-agent": "Shop/2.1 (Android)",
    ...place,
  };
  const post = (path: string, body: object, more: SentHeaders = {}) =>
    send(app.origin, path, "POST", { ...headers, ...more }, Buffer.from(JSON.stringify(body)));
  return {
    logIn: (email: string, device_name?: string) =>
      post("/api/v1/token", { email, password, device_name }),
    refresh: (refresh_token: string) => post("/api/v1/token/refresh", { refresh_token }),
    revoke: (refresh_token: string) => post("/api/v1/token/revoke", { refresh_token }),
    confirm: (token: string, typed = password) =>
      post("/api/v1/token/confirm", { password: typed }, { authorization: `Bearer ${token}` }),
    ask: (path: string, token: string, method = "GET") =>
      send(app.origin, path, method, { ...place, authorization: `Bearer ${token}` }),
  };
}

function pair(answer: Answer): Pair {
  expect(answer.status, answer.body).toBe(200);
  return JSON.parse(answer.body);
}

const code = ({ status, body }: Answer) => [status, JSON.parse(body).code];

test("an app logs in, refreshes a hundred times, thirty at once, and is logged out when a copied token is reused", async ({
  app,
  user,
  connection: { sql },
  mailTo,
}) => {
  const { logIn, refresh, ask } = phone(app);
  const answer = await logIn(user.email, "Pixel 9");
  expect(JSON.parse(answer.body)).toEqual({
    access_token: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/),
    token_type: "Bearer",
    expires_in: 600,
    refresh_token: expect.stringMatching(/^[\w-]{43}$/),
    refresh_expires_in: 30 * 24 * 3600,
  });
  expect(answer.setCookie).toEqual([]);
  expect(answer.headers["cache-control"]).toBe("no-store");
  const first = pair(answer);
  const me = JSON.parse((await ask("/api/v1/me", first.access_token)).body);
  expect(me).toMatchObject({ id: user.id, email: user.email, role: "user" });
  expect((await mailTo(user.email)).subject).toBe("New login to your account");

  let now = first;
  for (let n = 0; n < 100; n++) now = pair(await refresh(now.refresh_token));
  const many = await Promise.all(Array.from({ length: 30 }, () => refresh(now.refresh_token)));
  expect(new Set(many.map((each) => pair(each).refresh_token)).size).toBe(1);
  const leaves = await sql`
    select generation from refresh_tokens
    where session_id = ${me.session.id} and used_at is null`;
  expect([...leaves]).toEqual([{ generation: 102 }]);
  const last = pair(many[0] as Answer); // the array has thirty
  expect((await ask("/api/v1/me", last.access_token)).status).toBe(200);

  // An attacker presents a copy of the first refresh token.
  expect(code(await refresh(first.refresh_token))).toEqual([401, "refresh-token-reused"]);
  for (const token of [last.refresh_token, first.refresh_token])
    expect(code(await refresh(token))).toEqual([401, "invalid-refresh-token"]);
  const refused = await ask("/api/v1/me", last.access_token);
  expect(code(refused)).toEqual([401, "invalid-token"]);
  expect(refused.headers["www-authenticate"]).toBe('Bearer error="invalid_token"');
  await expect
    .poll(async () => (await mailTo(user.email)).subject)
    .toBe("An app was logged out for your safety");
});

test("the owner sees the app among the devices, and ends it there at once", async ({
  app,
  loggedIn,
  user,
}) => {
  const { logIn, refresh, ask } = phone(app);
  await listening(loggedIn, "/settings/devices");
  const tokens = pair(await logIn(user.email, "Ada's Pixel 9"));
  const row = loggedIn.getByRole("listitem").filter({ hasText: "Ada's Pixel 9" });
  await expect(row).toContainText("app");
  await row.getByRole("button", { name: "Log out Ada's Pixel 9" }).click();
  await expect(loggedIn).toHaveURL("/settings/devices?notice=device-logged-out");
  expect((await ask("/api/v1/me", tokens.access_token)).status).toBe(401);
  expect(code(await refresh(tokens.refresh_token))).toEqual([401, "invalid-refresh-token"]);
});

test("the app lists the user's devices, ends one, and cannot end another user's", async ({
  app,
  user,
  logInElsewhere,
  connection: { db, sql },
}) => {
  const browser = await logInElsewhere(user);
  await browser.goto("/dashboard");
  const { logIn, ask, revoke } = phone(app);
  const { access_token, refresh_token } = pair(await logIn(user.email));
  const devices = JSON.parse((await ask("/api/v1/sessions", access_token)).body);
  expect(devices).toHaveLength(2);
  expect(
    devices.map(({ kind, current }: { kind: string; current: boolean }) => [kind, current]),
  ).toEqual(
    expect.arrayContaining([
      ["app", true],
      ["web", false],
    ]),
  );
  const otherUser = await createUser(db);
  pair(await logIn(otherUser.email));
  const [theirs] = await sql<{ id: string }[]>`
    select id from sessions where user_id = ${otherUser.id}`;
  for (const id of [theirs?.id, "0d7a3c55-31c6-4f0f-9c39-0f0a1f4f7b1e", "nonsense", "%00"])
    expect((await ask(`/api/v1/sessions/${id}`, access_token, "DELETE")).status, id).toBe(404);
  expect(await sql`select from sessions where user_id = ${otherUser.id}`).toHaveLength(1);

  const web = devices.find(({ kind }: { kind: string }) => kind === "web");
  const ended = await ask(`/api/v1/sessions/${web.id}`, access_token, "DELETE");
  expect([ended.status, ended.body]).toEqual([204, ""]);
  await expect(browser).toHaveURL(/\/login\?notice=session-ended/);
  for (const _ of [1, 2]) expect((await revoke(refresh_token)).status).toBe(204);
  expect((await ask("/api/v1/me", access_token)).status).toBe(401);
});

/** Creates an app whose last proof is `age` milliseconds old, and another session of its user. */
async function createAgedApp(app: App, { db, sql }: Connection, user: TestUser, age: number) {
  const calls = phone(app);
  const tokens = pair(await calls.logIn(user.email));
  const { session: other } = await createLogin(db, user);
  const { session } = JSON.parse((await calls.ask("/api/v1/me", tokens.access_token)).body);
  await sql`
    update sessions set authenticated_at = now() - ${age / 1000} * interval '1 second'
    where id = ${session.id}`;
  const end = (id: string) => calls.ask(`/api/v1/sessions/${id}`, tokens.access_token, "DELETE");
  return { ...calls, ...tokens, end, own: `${session.id}`, other: other.id };
}

const authTime = (jwt: string): number =>
  JSON.parse(Buffer.from(`${jwt.split(".")[1]}`, "base64url").toString()).auth_time;

const stale = sudoPolicy.submit + minutes(1);

test("the app ends another session only with a recent proof, and its own at any time", async ({
  app,
  user,
  connection,
}) => {
  const old = await createAgedApp(app, connection, user, stale);
  const before = await allRows(connection);
  for (const id of [old.other, "0d7a3c55-31c6-4f0f-9c39-0f0a1f4f7b1e"])
    expect(code(await old.end(id))).toEqual([403, "confirmation-required"]);
  expect(await allRows(connection)).toEqual(before);
  expect((await old.ask("/api/v1/sessions", old.access_token)).status).toBe(200);
  expect((await old.end(old.own.toUpperCase())).status).toBe(204);

  const recent = await createAgedApp(app, connection, user, sudoPolicy.submit - minutes(1));
  expect((await recent.end(recent.other)).status).toBe(204);
});

test("a refresh does not renew the proof, and a promotion ends it", async ({
  app,
  user,
  connection,
}) => {
  const old = await createAgedApp(app, connection, user, stale);
  const { access_token } = pair(await old.refresh(old.refresh_token));
  expect(authTime(access_token)).toBeLessThan((Date.now() - sudoPolicy.submit) / 1000);
  const end = (token: string, id: string) => old.ask(`/api/v1/sessions/${id}`, token, "DELETE");
  expect(code(await end(access_token, old.other))).toEqual([403, "confirmation-required"]);

  const raised = await createAgedApp(app, connection, user, 0);
  await connection.sql`update users set role_raised_at = now() where id = ${user.id}`;
  const before = await allRows(connection);
  expect(code(await raised.end(raised.other))).toEqual([403, "confirmation-required"]);
  expect(await allRows(connection)).toEqual(before);
});

test("the app confirms with the password, then ends another session; Activity lists the confirmation", async ({
  app,
  loggedIn,
  user,
  connection,
}) => {
  const old = await createAgedApp(app, connection, user, stale);
  const before = await allRows(connection);
  const wrong = await old.confirm(old.access_token, `${password}x`);
  expect(code(wrong)).toEqual([401, "invalid-credentials"]);
  const rows = await allRows(connection);
  expect({ ...rows, rate_limits: [] }).toEqual({ ...before, rate_limits: [] });
  expect(code(await old.end(old.other))).toEqual([403, "confirmation-required"]);

  const answer = await old.confirm(old.access_token);
  expect([answer.status, answer.body, answer.setCookie]).toEqual([204, "", []]);
  expect((await old.end(old.other)).status).toBe(204);
  const next = pair(await old.refresh(old.refresh_token));
  expect(authTime(next.access_token)).toBeGreaterThan((Date.now() - minutes(1)) / 1000);
  await loggedIn.goto("/settings/activity");
  await expect(loggedIn.getByText("You confirmed that it is you in an app")).toBeVisible();
});

test("only an app can confirm: no key, no key's token, no token of an ended session", async ({
  app,
  user,
  connection,
}) => {
  const { confirm, revoke, refresh_token, access_token } = await createAgedApp(
    ...([app, connection, user, stale] as const),
  );
  const { session } = await createLogin(connection.db, user);
  const { id, key } = await createKey(connection.db, session);
  await markUsed(connection, { id });
  const headers = { authorization: `Bearer ${key}`, ...randomClientIp() };
  const exchanged = await send(app.origin, "/api/v1/token/service", "POST", headers);
  const before = await allRows(connection);
  for (const token of [key, JSON.parse(exchanged.body).access_token])
    expect(code(await confirm(token))).toEqual([403, "session-required"]);
  for (const token of ["nothing", session.id, refresh_token])
    expect(code(await confirm(token))).toEqual([401, "invalid-token"]);
  expect(await allRows(connection)).toEqual(before);

  await revoke(refresh_token);
  const after = await allRows(connection);
  expect(code(await confirm(access_token))).toEqual([401, "invalid-token"]);
  expect(await allRows(connection)).toEqual(after);
});

test("the eleventh confirmation is refused with a wait, even with the right password", async ({
  app,
  user,
  connection,
}) => {
  const { confirm, end, access_token, other } = await createAgedApp(
    ...([app, connection, user, stale] as const),
  );
  for (let tries = 0; tries < 10; tries++)
    expect(code(await confirm(access_token, "wrong"))).toEqual([401, "invalid-credentials"]);
  const before = await allRows(connection);
  const answer = await confirm(access_token);
  expect(code(answer)).toEqual([429, "rate-limited"]);
  expect(Number(answer.headers["retry-after"])).toBeGreaterThan(0);
  expect(await allRows(connection)).toEqual(before);
  expect(code(await end(other))).toEqual([403, "confirmation-required"]);
});
