import { sql as query } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { unknownClient } from "@/lib/audit";
import { changePassword } from "@/lib/auth/account/password-change";
import { verifyPassword } from "@/lib/auth/credentials/passwords";
import { findStep } from "@/lib/auth/credentials/two-factor";
import { sessionPolicy } from "@/lib/auth/policy";
import { invalidateAllUserSessions, invalidateSession } from "@/lib/auth/sessions/end";
import { findBearer } from "@/lib/auth/tokens/bearer";
import { importSigningKeys, signAccessToken } from "@/lib/auth/tokens/jwt";
import { confirmApp, logInApp } from "@/lib/auth/tokens/log-in";
import { refreshAccessToken } from "@/lib/auth/tokens/refresh";
import type { Db } from "@/lib/db/client";
import { privateJwk } from "@/lib/dev/secrets";
import { minutes } from "@/lib/time";
import { span } from "@/tests/support/ages";
import { db, racingConnections, sql } from "@/tests/support/database";
import { collide, times } from "@/tests/support/races";
import { eventKinds, eventRows, sessionRows } from "@/tests/support/rows";
import { addTwoFactor, keys as sealingKeys } from "@/tests/support/two-factor";
import { createLogin, createUser, newPassword, password } from "@/tests/support/users";

/* refresh.test.ts tests logInApp without two-factor, together with the tokens that it creates. */

const issuer = "https://app.example.com";
const keys = await importSigningKeys(JSON.stringify({ keys: [privateJwk()] }));
const visit = { secret: "s".repeat(43), client: unknownClient };
const client = { ip: "203.0.113.5", userAgent: "Shop/2.1" };
const right = { password, client };
const incorrect = { ok: false, reason: "incorrect" };
const ended = { ok: false, reason: "session-ended" };

/** Creates an app whose user logged in a day ago. */
async function createStaleApp() {
  const user = await createUser(db);
  const attempt = { email: user.email, password, deviceName: null, client: unknownClient };
  const login = await logInApp(db, attempt);
  if (!login.ok) throw new Error(login.reason);
  const { id } = login.session;
  await sql`update sessions set authenticated_at = now() - interval '1 day' where id = ${id}`;
  const claims = { sub: user.id, role: "user" as const, sid: id };
  const accessToken = await signAccessToken(keys, issuer, claims, minutes(10));
  return { user, app: { sessionId: id, user: user }, accessToken, token: login.refresh.token };
}

const sudoOf = async (accessToken: string) =>
  (await findBearer(db, accessToken, { keys, issuer }))?.session?.sudo;

const needsCode = { ok: false, reason: "code-needed" };
const wrongCode = { ok: false, reason: "code-incorrect" };

describe("logInApp of a user with two-factor", () => {
  async function createAttempt() {
    const user = await createUser(db);
    const authenticator = await addTwoFactor(db, user);
    const attempt = { email: user.email, password, deviceName: null, client, keys: sealingKeys };
    return { user, authenticator, attempt };
  }

  it("refuses the password alone, wrong codes and used ones, and makes no session", async () => {
    const { user, authenticator, attempt } = await createAttempt();
    expect(await logInApp(db, attempt)).toEqual(needsCode);
    const wrong = { ...attempt, otp: authenticator.wrong() };
    expect(await logInApp(db, wrong)).toEqual(wrongCode);
    expect(await sessionRows(user)).toEqual([]);
    for (const otp of [authenticator.code(), `${authenticator.recoveryCodes[0]}`]) {
      expect(await logInApp(db, { ...attempt, password: "no", otp })).toEqual(incorrect);
      expect(await logInApp(db, { ...attempt, otp })).toMatchObject({ ok: true });
      expect(await logInApp(db, { ...attempt, otp })).toEqual(wrongCode);
    }
    expect(await sessionRows(user)).toHaveLength(2);
  });

  it("accepts one code for one of five apps at the same moment", async () => {
    const { user, authenticator, attempt } = await createAttempt();
    const otp = authenticator.code();
    const answers = await collide(
      5,
      (tx) => tx.execute(query`select from users where id = ${user.id} for update`),
      (db) => logInApp(db, { ...attempt, otp }),
    );
    expect(answers.filter(({ ok }) => ok)).toHaveLength(1);
    expect(await sessionRows(user)).toHaveLength(1);
  });

  // Proves that the test above can fail: compares the code before locking the user.
  it("would accept it for all five if it were compared and not used up", async () => {
    const { user, authenticator } = await createAttempt();
    const code = authenticator.code();
    const steps = await collide(
      5,
      (tx) => tx.execute(query`select from users where id = ${user.id} for update`),
      async (db) => {
        const step = await findStep(db, user.id, code, sealingKeys);
        await db.execute(query`select from users where id = ${user.id} for no key update`);
        return step;
      },
    );
    expect(steps.filter((step) => step !== null)).toHaveLength(5);
  });
});

describe("confirmApp", () => {
  it("renews the proof of this session, and the next access token's auth_time with it", async () => {
    const { user, app, accessToken, token } = await createStaleApp();
    expect(await sudoOf(accessToken)).toBe("expired");
    expect(await confirmApp(db, app, right)).toEqual({ ok: true });
    expect(await sudoOf(accessToken)).toBe("full");
    expect((await eventRows(user)).at(-1)).toMatchObject({
      ...{ kind: "session-confirmed", session_id: app.sessionId, ip: client.ip },
    });
    const [row] = await sessionRows(user);
    const next = await refreshAccessToken(db, token, visit);
    const told = next.ok ? next.session.authenticatedAt.getTime() / 1000 : 0;
    expect(told).toBeCloseTo(row?.authenticated_at ?? 0, 2);
    expect(told * 1000).toBeGreaterThan(Date.now() - minutes(1));
  });

  it("asks for a code beside the password if the account has two-factor", async () => {
    const { user, app, accessToken } = await createStaleApp();
    const authenticator = await addTwoFactor(db, user);
    const typed = { ...right, keys: sealingKeys };
    expect(await confirmApp(db, app, typed)).toEqual(needsCode);
    expect(await confirmApp(db, app, { ...typed, otp: authenticator.wrong() })).toEqual(wrongCode);
    expect(await sudoOf(accessToken)).toBe("expired");
    const otp = authenticator.code();
    expect(await confirmApp(db, app, { ...typed, otp })).toEqual({ ok: true });
    expect(await sudoOf(accessToken)).toBe("full");
    expect(await confirmApp(db, app, { ...typed, otp })).toEqual(wrongCode);
  });

  it("rotates nothing: the earlier refresh token stays valid", async () => {
    const { app, token } = await createStaleApp();
    const before = await refreshRows(app.sessionId);
    await confirmApp(db, app, right);
    expect(await refreshRows(app.sessionId)).toEqual(before);
    expect(await refreshAccessToken(db, token, visit)).toMatchObject({ ok: true });
  });

  it("refuses a wrong password, and changes no row", async () => {
    const { user, app } = await createStaleApp();
    const before = await sessionRows(user);
    for (const wrong of ["", `${password} `, "x".repeat(2000)])
      expect(await confirmApp(db, app, { password: wrong, client })).toEqual(incorrect);
    expect(await sessionRows(user)).toEqual(before);
    expect(await eventKinds(user)).toEqual(["logged-in"]);
  });

  it("refuses another user's password, and another user's session", async () => {
    const [{ user, app }, other] = [await createStaleApp(), await createStaleApp()];
    const before = [await sessionRows(user), await sessionRows(other.user)];
    const foreignEmail = { ...app, user: { id: user.id, email: other.user.email } };
    expect(await confirmApp(db, foreignEmail, right)).toEqual(incorrect);
    const foreignSession = { ...app, sessionId: other.app.sessionId };
    expect(await confirmApp(db, foreignSession, right)).toEqual(ended);
    expect([await sessionRows(user), await sessionRows(other.user)]).toEqual(before);
    expect(await eventKinds(other.user)).toEqual(["logged-in"]);
  });

  it("refuses the old password after a change, which has ended the app", async () => {
    const { user, app } = await createStaleApp();
    const { session, token } = await createLogin(db, user);
    await changePassword(db, session, { presented: token, current: password, next: newPassword });
    const before = await sessionRows(user);
    expect(await confirmApp(db, app, right)).toEqual(incorrect);
    expect(await confirmApp(db, app, { password: newPassword, client })).toEqual(ended);
    expect(await sessionRows(user)).toEqual(before);
  });

  it("renews no browser's proof, and no other session's", async () => {
    const { user, app } = await createStaleApp();
    const { session } = await createLogin(db, user);
    await sql`
      update sessions set authenticated_at = now() - interval '1 day' where id = ${session.id}`;
    const browser = { sessionId: session.id, user: user };
    const before = await sessionRows(user);
    expect(await confirmApp(db, browser, right)).toEqual(ended);
    expect(await sessionRows(user)).toEqual(before);
    await confirmApp(db, app, right);
    const row = (rows: typeof before) => rows.find(({ id }) => id === session.id);
    expect(row(await sessionRows(user))).toEqual(row(before));
  });

  // Without `live` in the statement, the new `last_seen_at` would revive the idle session.
  it.each([
    ["expired", "update sessions set expires_at = now() where user_id = $1"],
    [
      "idle for too long",
      `update sessions set last_seen_at = now() - interval '${span(sessionPolicy.app.idle)}' where user_id = $1`,
    ],
    ["of a suspended user", "update users set status = 'suspended' where id = $1"],
    ["logged out everywhere", "update users set auth_version = auth_version + 1 where id = $1"],
  ])("does not revive a session that is %s", async (_, change) => {
    const { user, app, accessToken } = await createStaleApp();
    await sql.unsafe(change, [user.id]);
    const before = await sessionRows(user);
    expect(await confirmApp(db, app, right)).toEqual(ended);
    expect(await sessionRows(user)).toEqual(before);
    expect(await sudoOf(accessToken)).toBeUndefined();
    expect(await eventKinds(user)).toEqual(["logged-in"]);
  });

  it("does not revive a session that has ended", async () => {
    const { user, app } = await createStaleApp();
    const acting = { id: app.sessionId, userId: user.id, client };
    await invalidateSession(db, acting, app.sessionId);
    expect(await confirmApp(db, app, right)).toEqual(ended);
    expect(await sessionRows(user)).toEqual([]);
  });

  /** Reads first and writes later: the session may end in between. */
  async function naive(db: Db, { app, user }: Awaited<ReturnType<typeof createStaleApp>>) {
    const proof = await verifyPassword(db, user.email, password);
    const [row] = await db.execute(`
      select sessions.id from sessions join users on users.id = user_id
      where sessions.id = '${app.sessionId}' and sessions.auth_version = users.auth_version
        and expires_at > now()`);
    if (!proof || !row) return ended;
    await db.execute(`
      update sessions set authenticated_at = now(), last_seen_at = now()
      where id = '${app.sessionId}'`);
    return { ok: true };
  }

  it("confirms nothing after log out everywhere, while a naive version reports success", async () => {
    const everywhere = (user: { id: string }) => (tx: Db) => invalidateAllUserSessions(tx, user.id);
    const { app, user } = await createStaleApp();
    const answers = await collide(10, everywhere(user), (db) => confirmApp(db, app, right));
    expect(answers).toEqual(Array(10).fill(ended));
    expect(await sessionRows(user)).toEqual([]);
    expect(await eventKinds(user)).toEqual(["logged-in", "all-sessions-ended"]);

    const twin = await createStaleApp();
    const wrong = await collide(10, everywhere(twin.user), (db) => naive(db, twin));
    expect(wrong).toContainEqual({ ok: true });
  });

  it("never deadlocks with a refresh, a log out and a log out everywhere, and revives nothing", async () => {
    const racing = racingConnections(8);
    for (let round = 0; round < 50; round++) {
      const { user, app, token, accessToken } = await createStaleApp();
      // A deadlock would reject one of these with 40P01.
      await Promise.all([
        ...times(2, () => confirmApp(racing.db, app, right)),
        ...times(2, () => refreshAccessToken(racing.db, token, visit)),
        invalidateSession(racing.db, { id: null, userId: user.id, client }, app.sessionId),
        invalidateAllUserSessions(racing.db, user.id),
      ]);
      expect(await sessionRows(user)).toEqual([]);
      expect(await sudoOf(accessToken)).toBeUndefined();
    }
    await racing.sql.end();
  });
});

async function refreshRows(sessionId: string) {
  return sql`select generation, used_at, encode(token_hash, 'hex') as hash, expires_at
    from refresh_tokens where session_id = ${sessionId}`;
}
