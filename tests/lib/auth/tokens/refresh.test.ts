import { describe, expect, it } from "vitest";
import { unknownClient } from "@/lib/audit";
import { sessionPolicy, tokenPolicy } from "@/lib/auth/policy";
import { newToken } from "@/lib/auth/secrets";
import { invalidateAllUserSessions } from "@/lib/auth/sessions/end";
import { listSessions } from "@/lib/auth/sessions/list";
import { getSession } from "@/lib/auth/sessions/lookup";
import { logInApp } from "@/lib/auth/tokens/log-in";
import {
  createRefreshToken,
  deleteExpiredRefreshTokens,
  refreshAccessToken,
  revokeRefreshToken,
} from "@/lib/auth/tokens/refresh";
import type { Db } from "@/lib/db/client";
import { minutes, seconds } from "@/lib/time";
import { span } from "@/tests/support/ages";
import { db, racingConnections, sql } from "@/tests/support/database";
import { collide, times } from "@/tests/support/races";
import {
  addSessions,
  eventKinds,
  mailKinds,
  sessionRows,
  wholeDatabase,
} from "@/tests/support/rows";
import { createLogin, createUser, password, type TestUser } from "@/tests/support/users";

const secret = "s".repeat(43);
const visit = { secret, client: unknownClient };

/** Creates an app that has just logged in. */
async function createApp(user: TestUser, deviceName: string | null = null) {
  const attempt = { email: user.email, password, deviceName, client: unknownClient };
  const result = await logInApp(db, attempt);
  if (!result.ok) throw new Error(result.reason);
  return { session: result.session, token: result.refresh.token };
}

describe("refreshAccessToken", () => {
  it("returns the next token of the same session, once", async () => {
    const user = await createUser(db);
    const { token, session } = await createApp(user);
    const next = await refreshAccessToken(db, token, visit);
    expect(next).toMatchObject({ ok: true, session: { id: session.id, user: { id: user.id } } });
    if (next.ok) expect(next.refresh.token).not.toBe(token);
  });

  it("ends nothing for a token that was never issued", async () => {
    const user = await createUser(db);
    const { session } = await createApp(user);
    for (const garbage of [newToken(), "", session.id, "x".repeat(43)])
      expect(await refreshAccessToken(db, garbage, visit)).toEqual({
        ok: false,
        reason: "invalid",
      });
    expect(await sessionRows(user)).toHaveLength(1);
  });

  it("ends the session if a used token is presented again late, and mails its user", async () => {
    const user = await createUser(db);
    const { token, session } = await createApp(user);
    await refreshAccessToken(db, token, visit);
    await sql`
      update refresh_tokens set used_at = used_at - ${span(tokenPolicy.refreshReplay + seconds(1))}::interval
      where session_id = ${session.id} and used_at is not null`;
    expect(await refreshAccessToken(db, token, visit)).toEqual({ ok: false, reason: "reused" });
    expect(await sessionRows(user)).toEqual([]);
    expect(await eventKinds(user)).toEqual(["logged-in", "refresh-token-reused"]);
    expect(await mailKinds(user)).toContain("refresh-token-reused");
  });

  // Run once with a naive claim, without `used_at is null` and without the session's lock: all
  // thirty insert their own second generation, and the index that keeps the chain from forking
  // throws for twenty-nine of them.
  it("returns the same next token to thirty concurrent callers", async () => {
    const user = await createUser(db);
    const { token, session } = await createApp(user);
    const lock = (tx: Db) =>
      tx.execute(`select from sessions where id = '${session.id}' for update`);
    const answers = await collide(30, lock, (db) => refreshAccessToken(db, token, visit));
    const given = new Set(answers.map((answer) => answer.ok && answer.refresh.token));
    expect(given.size).toBe(1);
    expect(given.has(false)).toBe(false);
    expect(await chain(session.id)).toEqual([
      { generation: 1, unused: false },
      { generation: 2, unused: true },
    ]);
  });

  it("works for a hundred generations", async () => {
    const user = await createUser(db);
    let { token, session } = await createApp(user);
    for (const _ of times(100, () => 0)) {
      const next = await refreshAccessToken(db, token, visit);
      if (!next.ok) throw new Error(next.reason);
      token = next.refresh.token;
    }
    const rows = await chain(session.id);
    expect(rows).toHaveLength(101);
    expect(rows.filter(({ unused }) => unused)).toEqual([{ generation: 101, unused: true }]);
  });

  // The database's clock advances meanwhile, so the cases keep two seconds from the limit.
  it.each([
    { age: 0, childUsed: false, comes: "same" },
    { age: tokenPolicy.refreshReplay - seconds(2), childUsed: false, comes: "same" },
    { age: tokenPolicy.refreshReplay + seconds(1), childUsed: false, comes: "reused" },
    { age: 0, childUsed: true, comes: "reused" },
    { age: tokenPolicy.refreshReplay - seconds(2), childUsed: true, comes: "reused" },
  ])(
    "presented again $age ms after use, its child used: $childUsed, the answer is: $comes",
    async (row) => {
      const user = await createUser(db);
      const { token, session } = await createApp(user);
      const child = await refreshAccessToken(db, token, visit);
      if (!child.ok) throw new Error(child.reason);
      if (row.childUsed) await refreshAccessToken(db, child.refresh.token, visit);
      await sql`
      update refresh_tokens set used_at = clock_timestamp() - ${span(row.age)}::interval
      where session_id = ${session.id} and generation = 1`;
      const answer = await refreshAccessToken(db, token, visit);
      if (row.comes === "same") expect(answer).toMatchObject({ ok: true });
      if (answer.ok) expect(answer.refresh.token).toBe(child.refresh.token);
      else expect(answer.reason).toBe(row.comes);
      expect(await sessionRows(user)).toHaveLength(row.comes === "same" ? 1 : 0);
    },
  );

  it("ends the session for good after a reuse, whatever its caller does next", async () => {
    const user = await createUser(db);
    const { token, session } = await createApp(user);
    await refreshAccessToken(db, token, visit);
    await ageUse(session.id);
    const caller = async () => {
      const answer = await refreshAccessToken(db, token, visit);
      if (!answer.ok) throw new Error(answer.reason);
    };
    await expect(caller()).rejects.toThrow("reused");
    expect(await sessionRows(user)).toEqual([]);
  });

  it("reports a reuse once, however many callers try it", async () => {
    const user = await createUser(db);
    const { token, session } = await createApp(user);
    await refreshAccessToken(db, token, visit);
    await ageUse(session.id);
    await Promise.all(times(10, () => refreshAccessToken(db, token, visit)));
    const reused = (await mailKinds(user)).filter((kind) => kind === "refresh-token-reused");
    expect(reused).toHaveLength(1);
    expect((await eventKinds(user)).filter((kind) => kind === "refresh-token-reused")).toHaveLength(
      1,
    );
  });

  it("keeps the user's other sessions after a reuse", async () => {
    const user = await createUser(db);
    const [stolen, other] = [await createApp(user), await createApp(user)];
    const web = await createLogin(db, user);
    await refreshAccessToken(db, stolen.token, visit);
    await ageUse(stolen.session.id);
    await refreshAccessToken(db, stolen.token, visit);
    expect(await getSession(db, web.token)).not.toBeNull();
    expect(await refreshAccessToken(db, other.token, visit)).toMatchObject({ ok: true });
  });

  it("does not replay a used token with another secret, and ends nothing", async () => {
    const user = await createUser(db);
    const { token } = await createApp(user);
    await refreshAccessToken(db, token, visit);
    const other = { ...visit, secret: "o".repeat(43) };
    expect(await refreshAccessToken(db, token, other)).toEqual({ ok: false, reason: "invalid" });
    expect(await sessionRows(user)).toHaveLength(1);
  });

  it.each([
    ["an expired session", "sessions", "expires_at = now()"],
    [
      "an idle one",
      "sessions",
      `last_seen_at = now() - interval '${span(sessionPolicy.app.idle)}'`,
    ],
    ["a suspended user", "users", "status = 'suspended'"],
    ["a user who was logged out everywhere", "users", "auth_version = auth_version + 1"],
  ])("refuses %s, and ends nothing", async (_, table, change) => {
    const user = await createUser(db);
    const { token } = await createApp(user);
    const column = table === "users" ? "id" : "user_id";
    await sql.unsafe(`update ${table} set ${change} where ${column} = '${user.id}'`);
    const before = await sessionRows(user);
    expect(await refreshAccessToken(db, token, visit)).toEqual({ ok: false, reason: "invalid" });
    expect(await sessionRows(user)).toEqual(before);
  });

  // `classify` handles tokens used before, so it must require a live session as `claim` does.
  it.each([
    ["an expired session", "sessions", "expires_at = now()"],
    [
      "an idle one",
      "sessions",
      `last_seen_at = now() - interval '${span(sessionPolicy.app.idle)}'`,
    ],
    ["a suspended user", "users", "status = 'suspended'"],
    ["a user who was logged out everywhere", "users", "auth_version = auth_version + 1"],
  ])("replays no lost answer to %s, and reports no reuse", async (_, table, change) => {
    for (const late of [false, true]) {
      const user = await createUser(db);
      const { token, session } = await createApp(user);
      await refreshAccessToken(db, token, visit);
      if (late) await ageUse(session.id);
      const column = table === "users" ? "id" : "user_id";
      await sql.unsafe(`update ${table} set ${change} where ${column} = '${user.id}'`);
      const before = [await sessionRows(user), await chain(session.id), await mailKinds(user)];
      expect(await refreshAccessToken(db, token, visit)).toEqual({ ok: false, reason: "invalid" });
      expect([await sessionRows(user), await chain(session.id), await mailKinds(user)]).toEqual(
        before,
      );
      expect(await eventKinds(user)).toEqual(["logged-in"]);
    }
  });

  it("refuses a token that has expired while its session is still live", async () => {
    const user = await createUser(db);
    const { token, session } = await createApp(user);
    await sql`update refresh_tokens set expires_at = now() where session_id = ${session.id}`;
    const before = [await sessionRows(user), await chain(session.id)];
    expect(await refreshAccessToken(db, token, visit)).toEqual({ ok: false, reason: "invalid" });
    expect([await sessionRows(user), await chain(session.id)]).toEqual(before);
  });

  it("refuses a token of a browser's session", async () => {
    const user = await createUser(db);
    const { session } = await createLogin(db, user);
    const { token } = await createRefreshToken(db, session.id);
    const before = [await sessionRows(user), await chain(session.id)];
    expect(await refreshAccessToken(db, token, visit)).toEqual({ ok: false, reason: "invalid" });
    expect([await sessionRows(user), await chain(session.id)]).toEqual(before);
  });

  it("does not count as a proof of identity: auth_time stays that of the login", async () => {
    const user = await createUser(db);
    const { token, session } = await createApp(user);
    await sql`
      update sessions set authenticated_at = now() - interval '1 day' where id = ${session.id}`;
    const [before] = await sessionRows(user);
    const next = await refreshAccessToken(db, token, visit);
    expect((await sessionRows(user))[0]?.authenticated_at).toBe(before?.authenticated_at);
    const told = next.ok ? next.session.authenticatedAt.getTime() / 1000 : 0;
    expect(told).toBeCloseTo(before?.authenticated_at ?? 0, 2);
  });

  it("renews the session's last use, and returns a token that does not outlive it", async () => {
    const user = await createUser(db);
    const { token, session } = await createApp(user);
    await sql`
      update sessions set last_seen_at = now() - ${span(sessionPolicy.app.idle - minutes(1))}::interval,
        expires_at = now() + interval '1 hour' where id = ${session.id}`;
    const next = await refreshAccessToken(db, token, {
      secret,
      client: { ip: "203.0.113.5", userAgent: null },
    });
    expect(next.ok && next.refresh.expiresIn).toBeGreaterThan(3590);
    expect(next.ok && next.refresh.expiresIn).toBeLessThanOrEqual(3600);
    const [row] = await sessionRows(user);
    expect(row?.ip).toBe("203.0.113.5");
    expect((row?.last_seen_at ?? 0) * 1000).toBeGreaterThan(Date.now() - 60_000);
  });

  it("stores no token, only its hash", async () => {
    const { token } = await createApp(await createUser(db));
    const next = await refreshAccessToken(db, token, visit);
    const everything = await wholeDatabase();
    for (const secret of [token, next.ok ? next.refresh.token : ""]) {
      expect(everything).not.toContain(secret);
      expect(everything).not.toContain(Buffer.from(secret, "base64url").toString("hex"));
    }
  });

  it("never deadlocks with a revocation and a log out everywhere", async () => {
    const racing = racingConnections(12);
    for (let round = 0; round < 100; round++) {
      const user = await createUser(db);
      const { token } = await createApp(user);
      // A deadlock would reject one of these with 40P01.
      await Promise.all([
        ...times(4, () => refreshAccessToken(racing.db, token, visit)),
        revokeRefreshToken(racing.db, token, unknownClient),
        invalidateAllUserSessions(racing.db, user.id),
      ]);
      expect(await sessionRows(user)).toEqual([]);
      expect(await refreshAccessToken(db, token, visit)).toMatchObject({ ok: false });
    }
    await racing.sql.end();
  });
});

describe("revokeRefreshToken", () => {
  it("ends the session of a token, used or not, and records it", async () => {
    for (const used of [false, true]) {
      const user = await createUser(db);
      const { token } = await createApp(user);
      if (used) await refreshAccessToken(db, token, visit);
      await revokeRefreshToken(db, token, unknownClient);
      expect(await sessionRows(user)).toEqual([]);
      expect(await eventKinds(user)).toEqual(["logged-in", "logged-out"]);
    }
  });

  it("ends nothing for an invalid token", async () => {
    const user = await createUser(db);
    const { session } = await createApp(user);
    for (const garbage of [newToken(), "", session.id])
      await revokeRefreshToken(db, garbage, unknownClient);
    expect(await sessionRows(user)).toHaveLength(1);
  });
});

describe("logInApp", () => {
  it("creates a session of an app with the name that it sends, and mails its user", async () => {
    const user = await createUser(db);
    await createApp(user, "Pixel 9");
    const { session } = await createLogin(db, user);
    const [app] = (await listSessions(db, session)).filter(({ kind }) => kind === "app");
    expect(app).toMatchObject({ kind: "app", deviceName: "Pixel 9", amr: ["pwd"] });
    expect(await mailKinds(user)).toEqual(["new-device"]);
  });

  it("refuses a wrong password and an unknown email alike, and a suspended user with the right password", async () => {
    const user = await createUser(db);
    const attempt = { deviceName: null, client: unknownClient };
    const wrong = { ok: false, reason: "incorrect" };
    expect(await logInApp(db, { ...attempt, email: user.email, password: "no" })).toEqual(wrong);
    expect(await logInApp(db, { ...attempt, email: "unknown@example.com", password })).toEqual(
      wrong,
    );
    await sql`update users set status = 'suspended' where id = ${user.id}`;
    expect(await logInApp(db, { ...attempt, email: user.email, password: "no" })).toEqual(wrong);
    expect(await logInApp(db, { ...attempt, email: user.email, password })).toEqual({
      ok: false,
      reason: "suspended",
    });
    expect(await sessionRows(user)).toEqual([]);
  });

  it("counts toward the session cap with browsers, and evicts refresh tokens too", async () => {
    const user = await createUser(db);
    const { session } = await createApp(user);
    await sql`
      update sessions set last_seen_at = now() - interval '20 days' where id = ${session.id}`;
    await addSessions(user, sessionPolicy.sessionsPerUser - 1);
    await createApp(user);
    const rows = await sessionRows(user);
    expect(rows).toHaveLength(sessionPolicy.sessionsPerUser);
    expect(rows.map(({ id }) => id)).not.toContain(session.id);
    expect(await chain(session.id)).toEqual([]);
  });
});

describe("deleteExpiredRefreshTokens", () => {
  it("deletes expired used tokens, and never the unused token of a session", async () => {
    const { token, session } = await createApp(await createUser(db));
    await refreshAccessToken(db, token, visit);
    await sql`
      update refresh_tokens set expires_at = now() - interval '1 second'
      where session_id = ${session.id}`;
    await deleteExpiredRefreshTokens(db);
    expect(await chain(session.id)).toEqual([{ generation: 2, unused: true }]);
  });
});

async function chain(sessionId: string): Promise<{ generation: number; unused: boolean }[]> {
  const rows = await sql<{ generation: number; unused: boolean }[]>`
    select generation, used_at is null as unused from refresh_tokens
    where session_id = ${sessionId} order by generation`;
  return [...rows];
}

/** Ages the use so that a lost answer is no longer replayed. */
async function ageUse(sessionId: string): Promise<void> {
  await sql`
    update refresh_tokens set used_at = used_at - ${span(tokenPolicy.refreshReplay + seconds(1))}::interval
    where session_id = ${sessionId} and used_at is not null`;
}
