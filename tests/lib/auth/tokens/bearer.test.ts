import { describe, expect, it, vi } from "vitest";
import { unknownClient } from "@/lib/audit";
import { sessionPolicy, sudoPolicy } from "@/lib/auth/policy";
import { invalidateSession } from "@/lib/auth/sessions/end";
import { createApiKey, findApiKey, revokeApiKey } from "@/lib/auth/tokens/api-keys";
import { findBearer } from "@/lib/auth/tokens/bearer";
import { type AccessClaims, importSigningKeys, signAccessToken } from "@/lib/auth/tokens/jwt";
import { logInApp } from "@/lib/auth/tokens/log-in";
import { privateJwk } from "@/lib/dev/secrets";
import { minutes, seconds } from "@/lib/time";
import { span } from "@/tests/support/ages";
import { db, sql } from "@/tests/support/database";
import { sessionRows } from "@/tests/support/rows";
import { createLogin, createUser, password, type TestUser } from "@/tests/support/users";

const issuer = "https://app.example.com";
const keys = await importSigningKeys(JSON.stringify({ keys: [privateJwk()] }));
const sign = (claims: AccessClaims) => signAccessToken(keys, issuer, claims, minutes(10));
const find = (presented: string) => findBearer(db, presented, { keys, issuer });

async function createApp(user: TestUser) {
  const attempt = { email: user.email, password, deviceName: null, client: unknownClient };
  const result = await logInApp(db, attempt);
  if (!result.ok) throw new Error(result.reason);
  const { id } = result.session;
  return {
    id,
    accessToken: await sign({ sub: user.id, role: "user", sid: id }),
    refreshToken: result.refresh.token,
  };
}

async function createKeyOf(user: TestUser) {
  const { session } = await createLogin(db, user);
  const created = await createApiKey(db, session, {
    ...{ name: "Test", scopes: ["profile:read", "sessions:read"], lifetime: null },
  });
  if (!created.ok) throw new Error(created.reason);
  return { ...created, session };
}

describe("findBearer", () => {
  it("finds the app's session and its user by an access token", async () => {
    const user = await createUser(db);
    const { accessToken, id } = await createApp(user);
    expect(await find(accessToken)).toEqual({
      user: { ...user, role: "user" },
      scopes: "all",
      session: { id, sudo: "full", strong: false },
    });
  });

  it("finds an app's session strong only if its last proof was more than a password", async () => {
    const user = await createUser(db);
    const { accessToken, id } = await createApp(user);
    await sql`update sessions set amr = '{pwd,otp}', last_proof = '{pwd,otp}' where id = ${id}`;
    expect((await find(accessToken))?.session?.strong).toBe(true);
    await sql`update sessions set last_proof = '{pwd}' where id = ${id}`;
    expect((await find(accessToken))?.session?.strong).toBe(false);
  });

  it("finds no user once the session has ended, though the token has not expired", async () => {
    const user = await createUser(db);
    const { accessToken, id } = await createApp(user);
    const { session } = await createLogin(db, user);
    expect(await find(accessToken)).not.toBeNull();
    await invalidateSession(db, session, id);
    expect(await find(accessToken)).toBeNull();
  });

  it.each([
    ["whose user is suspended", "update users set status = 'suspended' where id = $1"],
    [
      "whose user is logged out everywhere",
      "update users set auth_version = auth_version + 1 where id = $1",
    ],
    ["that has expired", "update sessions set expires_at = now() where user_id = $1"],
    [
      "that is idle for too long",
      `update sessions set last_seen_at = now() - interval '${span(sessionPolicy.app.idle)}' where user_id = $1`,
    ],
  ])("finds no session %s, and leaves the row as it is", async (_, change) => {
    const user = await createUser(db);
    const { accessToken } = await createApp(user);
    expect(await find(accessToken)).not.toBeNull();
    await sql.unsafe(change, [user.id]);
    const before = await sessionRows(user);
    expect(await find(accessToken)).toBeNull();
    expect(await sessionRows(user)).toEqual(before);
  });

  it.each([
    { age: 0, sudo: "full" },
    { age: sudoPolicy.open - seconds(6), sudo: "full" },
    { age: sudoPolicy.open, sudo: "submit-only" },
    { age: sudoPolicy.submit - seconds(6), sudo: "submit-only" },
    { age: sudoPolicy.submit, sudo: "expired" },
  ])("an app's proof of $age ms ago gives sudo $sudo, whatever its token contains", async (row) => {
    const user = await createUser(db);
    const { id } = await createApp(user);
    await sql`
      update sessions set authenticated_at = now() - ${span(row.age)}::interval
      where id = ${id}`;
    const auth_time = Math.floor(Date.now() / 1000);
    const token = await sign({ sub: user.id, role: "user", sid: id, auth_time });
    expect((await find(token))?.session?.sudo).toBe(row.sudo);
  });

  it("an app's proof ends when its user is promoted", async () => {
    const user = await createUser(db);
    const { accessToken } = await createApp(user);
    await sql`update users set role_raised_at = now() where id = ${user.id}`;
    expect((await find(accessToken))?.session?.sudo).toBe("expired");
  });

  it("refuses a token for another service, of an app and of a key", async () => {
    const user = await createUser(db);
    const { id } = await createApp(user);
    const { id: client_id } = await createKeyOf(user);
    const scope = "profile:read";
    for (const of of [{ sid: id }, { client_id, scope }]) {
      const claims = { sub: user.id, role: "user" as const, ...of };
      expect(await find(await sign(claims))).not.toBeNull();
      for (const audience of ["https://reports.example.com", "reports", `${issuer}/`, "*", ""])
        expect(
          await find(await signAccessToken(keys, issuer, claims, minutes(10), audience)),
        ).toBeNull();
    }
  });

  it("checks a signature once, until 10,000 newer tokens have come", async () => {
    let checks = 0;
    const verify: typeof keys.verify = (...of) => {
      checks++;
      return keys.verify(...of);
    };
    const counting = { ...keys, verify };
    const present = (token: string) => findBearer(db, token, { keys: counting, issuer });
    // Tokens without a session or key: they cost no query.
    const sub = (await createUser(db)).id;
    const [first, second, ...newer] = await Promise.all(
      Array.from({ length: 10_001 }, () => sign({ sub, role: "user" })),
    );
    if (!first || !second) throw new Error("Nothing was signed.");
    for (const token of [first, second, first, second]) await present(token);
    expect(checks).toBe(2);
    for (const token of newer) await present(token);
    expect(checks).toBe(10_001);
    await present(second);
    expect(checks).toBe(10_001);
    await present(first);
    expect(checks).toBe(10_002);
  });

  // The signature is not checked again: without a check of the expiry, the session would be found.
  it("refuses a token that has expired since it was found", async () => {
    const user = await createUser(db);
    const { accessToken } = await createApp(user);
    const found = await find(accessToken);
    expect(found).not.toBeNull();
    vi.useFakeTimers({ toFake: ["Date"] });
    try {
      vi.setSystemTime(Date.now() + minutes(10) - seconds(2));
      expect(await find(accessToken)).toEqual(found);
      vi.setSystemTime(Date.now() + seconds(2));
      expect(await find(accessToken)).toBeNull();
    } finally {
      vi.useRealTimers();
    }
  });

  it("refuses a known token with other keys or another issuer", async () => {
    const user = await createUser(db);
    const { accessToken } = await createApp(user);
    expect(await find(accessToken)).not.toBeNull();
    const others = await importSigningKeys(JSON.stringify({ keys: [privateJwk()] }));
    expect(await findBearer(db, accessToken, { keys: others, issuer })).toBeNull();
    const elsewhere = { keys, issuer: "https://other.example.com" };
    expect(await findBearer(db, accessToken, elsewhere)).toBeNull();
  });

  it("refuses a known token with one character changed", async () => {
    const user = await createUser(db);
    const { accessToken } = await createApp(user);
    expect(await find(accessToken)).not.toBeNull();
    const at = accessToken.length - 20;
    const other = accessToken[at] === "A" ? "B" : "A";
    const changed = accessToken.slice(0, at) + other + accessToken.slice(at + 1);
    expect(await find(changed)).toBeNull();
  });

  it("uses the role of the row, and not that of the token", async () => {
    const user = await createUser(db);
    const { id } = await createApp(user);
    const forgotten = await sign({ sub: user.id, role: "admin", sid: id });
    expect((await find(forgotten))?.user.role).toBe("user");
  });

  it("does not accept a browser's session as an app's", async () => {
    const user = await createUser(db);
    const { session } = await createLogin(db, user);
    expect(await find(await sign({ sub: user.id, role: "user", sid: session.id }))).toBeNull();
  });

  it("does not accept a session's id, cookie or refresh token as a bearer token", async () => {
    const user = await createUser(db);
    const { id, refreshToken } = await createApp(user);
    const { token } = await createLogin(db, user);
    for (const wrong of [id, refreshToken, token, "", "."]) expect(await find(wrong)).toBeNull();
  });

  it("finds an API key, with its scopes", async () => {
    const user = await createUser(db);
    const { key, id } = await createKeyOf(user);
    const scopes = ["profile:read", "sessions:read"];
    expect(await find(key)).toMatchObject({ user: { id: user.id }, scopes, apiKey: { id } });
  });

  it("gives a key's token the scopes that both allow, and none once the key is revoked", async () => {
    const user = await createUser(db);
    const { key, id, session } = await createKeyOf(user);
    const own = { sub: user.id, role: "user" as const, client_id: id };
    const token = await sign({ ...own, scope: "profile:read sessions:write" });
    expect(await find(token)).toMatchObject({ scopes: ["profile:read"], apiKey: { id } });
    expect((await find(await sign(own)))?.scopes).toEqual([]);
    await revokeApiKey(db, session, id);
    expect(await find(token)).toBeNull();
    expect(await findApiKey(db, key)).toBeNull();
  });

  it("finds no user for a token that names neither a session nor a key", async () => {
    const user = await createUser(db);
    expect(await find(await sign({ sub: user.id, role: "user" }))).toBeNull();
  });
});
