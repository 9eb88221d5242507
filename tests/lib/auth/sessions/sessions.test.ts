import { createHash } from "node:crypto";
import { sql as query, type SQL } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { unknownClient } from "@/lib/audit";
import { verifyPassword } from "@/lib/auth/credentials/passwords";
import { logIn } from "@/lib/auth/login/log-in";
import { sessionPolicy, sudoPolicy } from "@/lib/auth/policy";
import { hashToken, newToken } from "@/lib/auth/secrets";
import { createSession, type NewSession } from "@/lib/auth/sessions/create";
import { mergeSessionData } from "@/lib/auth/sessions/data";
import {
  deleteExpiredSessions,
  invalidateAllSessions,
  invalidateAllUserSessions,
  invalidateOtherSessions,
  invalidateSession,
} from "@/lib/auth/sessions/end";
import { listSessions } from "@/lib/auth/sessions/list";
import { getSession, touchSession } from "@/lib/auth/sessions/lookup";
import { rotateSession } from "@/lib/auth/sessions/rotate";
import { connect, type Db } from "@/lib/db/client";
import { minutes } from "@/lib/time";
import { span } from "@/tests/support/ages";
import { databaseUrl, db, sql } from "@/tests/support/database";
import { collide, times } from "@/tests/support/races";
import {
  addSessions,
  eventKinds,
  eventRows,
  type SessionRow,
  sessionRows,
  wholeDatabase,
} from "@/tests/support/rows";
import { createLogin, createUser, password, type TestUser } from "@/tests/support/users";

const idle = query`last_seen_at = now() - ${span(sessionPolicy.persistent.idle)}::interval`;

/** A database that throws on every use. */
const untouchable = new Proxy(
  {},
  {
    get() {
      throw new Error("A query was made.");
    },
  },
) as Db; // only stands in for a pool

describe("getSession", () => {
  it("finds the session of a token, with its user", async () => {
    const user = await createUser(db);
    const { token } = await createLogin(db, user);
    const session = await getSession(db, token);
    expect(session?.user).toEqual({ ...user, role: "user" });
  });

  it("returns exactly these fields, none of them secret", async () => {
    const { token, session } = await createLogin(db, await createUser(db));
    expect(Object.keys(session).sort()).toEqual([
      "client",
      "data",
      "id",
      "persistent",
      "strong",
      "sudo",
      "touchDue",
      "user",
      "userId",
    ]);
    const seen = JSON.stringify(session);
    expect(seen).not.toContain(token);
    expect(seen).not.toContain(hashToken(token).toString("hex"));
    expect(seen).not.toContain("argon2");
  });

  it("finds nothing for a token that was never issued", async () => {
    await createLogin(db, await createUser(db));
    expect(await getSession(db, newToken())).toBeNull();
  });

  it("sends no query for a malformed token", async () => {
    const token = newToken();
    const malformed = [
      ...["", " ", token.slice(1), `${token}a`, `${token}=`, `${token}\n`, ` ${token}`],
      ...[`${token.slice(1)}+`, `${token.slice(1)}/`, `${token.slice(1)}é`, `${token.slice(1)}\0`],
      ...["x".repeat(1_000_000), "'; drop table sessions; --"],
    ];
    for (const value of malformed) expect(await getSession(untouchable, value)).toBeNull();
    await expect(getSession(untouchable, token)).rejects.toThrow("A query was made.");
  });

  it("does not accept a session's id as a token", async () => {
    const { session } = await createLogin(db, await createUser(db));
    expect(await getSession(untouchable, session.id)).toBeNull();
  });

  it("does not accept a stored hash as a token", async () => {
    const { token } = await createLogin(db, await createUser(db));
    expect(await getSession(db, hashToken(token).toString("base64url"))).toBeNull();
  });

  it("treats data that no longer fits its schema as empty, and returns the session", async () => {
    const { token, session } = await createLogin(db, await createUser(db));
    await sql`update sessions set data = '{"firstStepsHidden": "yes"}' where id = ${session.id}`;
    expect((await getSession(db, token))?.data).toEqual({});
  });

  // now() is constant within a transaction, so a second is a second however slow the machine is.
  it.each([
    { window: "the absolute end", persistent: true, aged: "expires_at = now()" },
    {
      window: "the idle time, where remembered",
      persistent: true,
      aged: `last_seen_at = now() - interval '${span(sessionPolicy.persistent.idle)}'`,
    },
    {
      window: "the idle time, where not remembered",
      persistent: false,
      aged: `last_seen_at = now() - interval '${span(sessionPolicy.temporary.idle)}'`,
    },
  ])("refuses a session from $window on, to the second", async ({ persistent, aged }) => {
    await db.transaction(async (tx) => {
      const { token, session } = await createLogin(tx, await createUser(tx), { persistent });
      const livesAt = async (shift: number) => {
        const change = query.raw(`${aged} + interval '${shift} seconds'`);
        await tx.execute(query`update sessions set ${change} where id = ${session.id}`);
        return (await getSession(tx, token)) !== null;
      };
      expect(await livesAt(1)).toBe(true);
      expect(await livesAt(0)).toBe(false);
      expect(await livesAt(-1)).toBe(false);
    });
  });

  it("accepts a proof for one window to open a page, for a longer one to submit it, to the second", async () => {
    await db.transaction(async (tx) => {
      const { token, session } = await createLogin(tx, await createUser(tx));
      const sudoAfter = async (seconds: number) => {
        await tx.execute(query`
          update sessions set authenticated_at = now() - ${seconds} * interval '1 second'
          where id = ${session.id}`);
        return (await getSession(tx, token))?.sudo;
      };
      expect(await sudoAfter(0)).toBe("full");
      const [open, submit] = [sudoPolicy.open / 1000, sudoPolicy.submit / 1000];
      expect(await sudoAfter(open - 1)).toBe("full");
      expect(await sudoAfter(open)).toBe("submit-only");
      expect(await sudoAfter(submit - 1)).toBe("submit-only");
      expect(await sudoAfter(submit)).toBe("expired");
    });
  });

  it("accepts no proof from before a promotion, and every proof after it", async () => {
    await db.transaction(async (tx) => {
      const { token, session } = await createLogin(tx, await createUser(tx));
      const sudoWithRise = async (seconds: number) => {
        await tx.execute(query`
          update users set role_raised_at = now() - ${seconds} * interval '1 second'
          where id = ${session.userId}`);
        return (await getSession(tx, token))?.sudo;
      };
      expect(await sudoWithRise(1)).toBe("full");
      expect(await sudoWithRise(0)).toBe("expired");
      expect(await sudoWithRise(-1)).toBe("expired");
    });
  });

  it("accepts a session only if its version equals its user's", async () => {
    const user = await createUser(db);
    const { token } = await createLogin(db, user);
    const livesAtVersion = async (version: number) => {
      await sql`update users set auth_version = ${version} where id = ${user.id}`;
      return (await getSession(db, token)) !== null;
    };
    expect(await livesAtVersion(2)).toBe(false);
    expect(await livesAtVersion(0)).toBe(false);
    expect(await livesAtVersion(1)).toBe(true);
  });

  it("refuses a suspended user from the next request on, until reinstated", async () => {
    const user = await createUser(db);
    const { token } = await createLogin(db, user);
    await sql`update users set status = 'suspended' where id = ${user.id}`;
    expect(await getSession(db, token)).toBeNull();
    await sql`update users set status = 'active' where id = ${user.id}`;
    expect(await getSession(db, token)).not.toBeNull();
  });

  it("refuses a deleted user", async () => {
    const user = await createUser(db);
    const { token } = await createLogin(db, user);
    await sql`delete from users where id = ${user.id}`;
    expect(await getSession(db, token)).toBeNull();
    expect(await sessionRows(user)).toEqual([]);
  });

  it("returns a changed role at the next request, in the same session", async () => {
    const user = await createUser(db);
    const { token, session } = await createLogin(db, user);
    await sql`update users set role = 'admin' where id = ${user.id}`;
    expect(await getSession(db, token)).toMatchObject({ id: session.id, user: { role: "admin" } });
  });
});

/** The arguments of `createSession` at this user's login, right after the password check. */
function newSession(user: TestUser, given: Partial<NewSession> = {}): NewSession {
  return {
    userId: user.id,
    authVersion: 1,
    amr: ["pwd"],
    persistent: true,
    presented: null,
    client: unknownClient,
    ...given,
  };
}

describe("getSession, with more callers than connections", () => {
  it("answers each with its own session, or null", async () => {
    const testUsers = await Promise.all(times(5, () => createUser(db)));
    const logins = await Promise.all(testUsers.map((user) => createLogin(db, user)));
    const [ended] = logins;
    if (ended) await invalidateSession(db, ended.session, ended.session.id);
    const narrow = connect(databaseUrl, { max: 2 });
    const answers = await Promise.all(
      times(60, async (n) => {
        const login = logins[n % 6]; // the sixth is a token without a session
        const session = await getSession(narrow.db, login?.token ?? newToken());
        expect(session).toEqual(n % 6 === 0 || !login ? null : login.session);
        return session;
      }),
    );
    expect(answers.filter(Boolean)).toHaveLength(40);
    await narrow.sql.end();
  });

  it("finds no session that had ended before the call, however busy the pool", async () => {
    const { token, session } = await createLogin(db, await createUser(db));
    const narrow = connect(databaseUrl, { max: 2 });
    const before = times(50, () => getSession(narrow.db, token));
    await invalidateSession(db, session, session.id);
    const after = await Promise.all(times(50, () => getSession(narrow.db, token)));
    expect(after).toEqual(times(50, () => null));
    await Promise.all(before);
    await narrow.sql.end();
  });

  it("rejects the calls whose connection was lost, and answers later ones", async () => {
    const { token, session } = await createLogin(db, await createUser(db));
    const narrow = connect(databaseUrl, { max: 1 });
    await getSession(narrow.db, token); // connects, so that there is a backend to terminate
    const [row] = await narrow.sql<{ pid: number }[]>`select pg_backend_pid() as pid`;
    const { calls } = await db.transaction(async (tx) => {
      await tx.execute(query`lock table sessions in access exclusive mode`);
      const calls = Promise.allSettled(times(20, () => getSession(narrow.db, token)));
      await tx.execute(query`select pg_terminate_backend(${row?.pid}, 5000)`);
      return { calls };
    });
    expect((await calls).filter(({ status }) => status === "rejected")).not.toHaveLength(0);
    await expect.poll(() => getSession(narrow.db, token).catch(() => null)).toEqual(session);
    await narrow.sql.end();
  });
});

describe("createSession", () => {
  it("stores what is known about the login, and only the SHA-256 of the token", async () => {
    const user = await createUser(db);
    const client = { ip: "203.0.113.9", userAgent: "Test Browser" };
    const created = await createSession(db, newSession(user, { client }));
    const [row, ...more] = await sessionRows(user);
    expect(more).toEqual([]);
    expect(row).toMatchObject({ id: created?.id, ip: client.ip, user_agent: client.userAgent });
    const sha256 = createHash("sha256").update(`${created?.token}`).digest();
    expect(row?.token_hash).toEqual(sha256);
    expect(await wholeDatabase()).not.toContain(created?.token);
  });

  it("records one event, with the same client", async () => {
    const user = await createUser(db);
    const client = { ip: "203.0.113.9", userAgent: "Test Browser" };
    const created = await createSession(db, newSession(user, { client }));
    expect(await eventRows(user)).toEqual([
      {
        kind: "logged-in",
        session_id: created?.id,
        ip: client.ip,
        user_agent: client.userAgent,
        detail: { evicted: 0 },
      },
    ]);
  });

  it.each([
    { persistent: true, lifetime: sessionPolicy.persistent.absolute },
    { persistent: false, lifetime: sessionPolicy.temporary.absolute },
  ])("expires $lifetime ms later if persistent is $persistent", async (given) => {
    const user = await createUser(db);
    await createSession(db, newSession(user, { persistent: given.persistent }));
    const [row] = await sql`
      select extract(epoch from expires_at - created_at)::int as seconds
      from sessions where user_id = ${user.id}`;
    expect(row?.seconds).toBe(given.lifetime / 1000);
  });

  it("cuts a user agent after 512 characters, in the row and in the event", async () => {
    const user = await createUser(db);
    const client = { ip: null, userAgent: "ü".repeat(5000) };
    await createSession(db, newSession(user, { client }));
    expect((await sessionRows(user))[0]?.user_agent).toBe("ü".repeat(512));
    expect((await eventRows(user))[0]?.user_agent).toBe("ü".repeat(512));
  });

  it("ends the session that the browser presents, which prevents session fixation", async () => {
    const attacker = await createUser(db);
    const planted = await createLogin(db, attacker);
    const victim = await createUser(db);
    const { token } = await createLogin(db, victim, { presented: planted.token });
    expect(token).not.toBe(planted.token);
    expect(await getSession(db, planted.token)).toBeNull();
    expect(await sessionRows(attacker)).toEqual([]);
    expect((await getSession(db, token))?.userId).toBe(victim.id);
  });

  it("records the end of the presented session for its own user, and only if it was live", async () => {
    const [one, other] = [await createUser(db), await createUser(db)];
    const first = await createLogin(db, one);
    const second = await createLogin(db, other, { presented: first.token });
    const [, event] = await eventRows(one);
    expect(event).toMatchObject({ kind: "session-replaced", session_id: first.session.id });
    expect(await eventKinds(other)).toEqual(["logged-in"]);
    await sql`update sessions set last_seen_at = now() - interval '20 days' where user_id = ${other.id}`;
    await createLogin(db, one, { presented: second.token });
    expect(await eventKinds(other)).toEqual(["logged-in"]);
    expect(await sessionRows(other)).toEqual([]);
  });

  it("ends no other session of the browser's user", async () => {
    const user = await createUser(db);
    const other = await createLogin(db, user);
    const presented = await createLogin(db, user);
    await createLogin(db, user, { presented: presented.token });
    expect(await getSession(db, other.token)).not.toBeNull();
    expect(await sessionRows(user)).toHaveLength(2);
  });

  it.each([
    { who: "a version that has moved on", change: query`auth_version = auth_version + 1` },
    { who: "a suspended user", change: query`status = 'suspended'` },
  ])("refuses $who, and changes no row", async ({ change }) => {
    const user = await createUser(db);
    const presented = await createLogin(db, await createUser(db));
    await db.execute(query`update users set ${change} where id = ${user.id}`);
    const refused = newSession(user, { presented: presented.token });
    expect(await createSession(db, refused)).toBeNull();
    expect(await sessionRows(user)).toEqual([]);
    expect(await eventKinds(user)).toEqual([]);
    expect(await getSession(db, presented.token)).not.toBeNull();
  });

  it("evicts the least recently seen session at the cap, and none of another user", async () => {
    const [user, other] = [await createUser(db), await createUser(db)];
    await addSessions(user, sessionPolicy.sessionsPerUser);
    await addSessions(other, sessionPolicy.sessionsPerUser);
    const unseen = (rows: SessionRow[]) => Math.min(...rows.map((row) => row.last_seen_at));
    const before = await sessionRows(user);
    await createLogin(db, user);
    const after = await sessionRows(user);
    expect(after).toHaveLength(sessionPolicy.sessionsPerUser);
    expect(unseen(after)).toBeGreaterThan(unseen(before));
    expect((await eventRows(user)).at(-1)?.detail).toEqual({ evicted: 1 });
    expect(await sessionRows(other)).toHaveLength(sessionPolicy.sessionsPerUser);
  });

  it("evicts no session below the cap, not counting the presented session", async () => {
    const user = await createUser(db);
    await addSessions(user, sessionPolicy.sessionsPerUser - 1);
    const { token } = await createLogin(db, user);
    await createLogin(db, user, { presented: token });
    const logins = (await eventRows(user)).filter(({ kind }) => kind === "logged-in");
    expect(logins.map(({ detail }) => detail.evicted)).toEqual([0, 0]);
    expect(await sessionRows(user)).toHaveLength(sessionPolicy.sessionsPerUser);
  });
});

describe("createSession, thirty at once at the cap", () => {
  const lockUser = (user: TestUser) => (tx: Db) =>
    tx.execute(query`select from users where id = ${user.id} for update`);

  it("never leaves more than the cap", async () => {
    const user = await createUser(db);
    await addSessions(user, sessionPolicy.sessionsPerUser);
    await collide(30, lockUser(user), (db) => createSession(db, newSession(user)));
    expect(await sessionRows(user)).toHaveLength(sessionPolicy.sessionsPerUser);
  });

  // Proves that the test above can fail: in one statement, each counts before the others insert.
  it("would exceed the cap if it counted before it has the user's lock", async () => {
    const user = await createUser(db);
    await addSessions(user, sessionPolicy.sessionsPerUser);
    await collide(30, lockUser(user), (db) =>
      db.execute(query`
        with evicted as (delete from sessions where id in (
          select id from sessions where user_id = ${user.id}
          order by last_seen_at desc offset ${sessionPolicy.sessionsPerUser - 1}))
        insert into sessions (user_id, token_hash, auth_version, amr, expires_at)
        values (${user.id}, ${hashToken(newToken())}, 1, '{pwd}', now() + interval '1 day')`),
    );
    expect((await sessionRows(user)).length).toBeGreaterThan(sessionPolicy.sessionsPerUser);
  });
});

describe("createSession, with thirty logins in progress when the user logs out everywhere", () => {
  it("logs none of them in", async () => {
    const user = await createUser(db);
    const answers = await collide(
      30,
      (tx) => invalidateAllUserSessions(tx, user.id),
      (db) =>
        logIn(db, {
          ...{ email: user.email, password, persistent: true },
          ...{ presented: null, knownBrowser: true, client: unknownClient },
        }),
    );
    expect(answers).toEqual(times(30, () => ({ ok: false, reason: "incorrect" })));
    expect(await sessionRows(user)).toEqual([]);
  });

  // Proves that the test above can fail: checks, then inserts, with a DELETE in between.
  it("would log all of them in without the check of the version read with the password", async () => {
    const user = await createUser(db);
    const proofs = await Promise.all(times(30, () => verifyPassword(db, user.email, password)));
    await sql`delete from sessions where user_id = ${user.id}`;
    const tokens = await Promise.all(
      proofs.map(async (proof) => {
        const token = newToken();
        await sql`
          insert into sessions (user_id, token_hash, auth_version, amr, expires_at)
          select id, ${hashToken(token)}, auth_version, '{pwd}', now() + interval '1 day'
          from users where id = ${`${proof?.userId}`}`;
        return token;
      }),
    );
    const usable = await Promise.all(tokens.map((token) => getSession(db, token)));
    expect(usable.filter((session) => session !== null)).toHaveLength(30);
  });
});

describe("rotateSession", () => {
  it("gives the same session a new token, and ends the old token", async () => {
    const user = await createUser(db);
    const { token, session } = await createLogin(db, user);
    const rotated = await rotateSession(db, token, ["pwd"]);
    expect(rotated?.id).toBe(session.id);
    expect(rotated?.token).not.toBe(token);
    expect(await getSession(db, `${rotated?.token}`)).toMatchObject({ id: session.id });
    expect(await getSession(db, token)).toBeNull();
    expect(await eventKinds(user)).toEqual(["logged-in", "session-rotated"]);
  });

  it("counts as a fresh proof, and does not move the absolute end", async () => {
    const user = await createUser(db);
    const { token, session } = await createLogin(db, user);
    await sql`
      update sessions set authenticated_at = now() - interval '2 days',
        last_seen_at = now() - interval '2 days' where id = ${session.id}`;
    const [before] = await sessionRows(user);
    await rotateSession(db, token, ["pwd"]);
    const [after] = await sessionRows(user);
    expect(after?.authenticated_at).toEqual(after?.last_seen_at);
    expect(after?.authenticated_at).toBeGreaterThan(before?.authenticated_at ?? Infinity);
    expect(after?.expires_at).toEqual(before?.expires_at);
  });

  it("does not change another session, of the same user or another user", async () => {
    const [user, other] = [await createUser(db), await createUser(db)];
    const { token } = await createLogin(db, user);
    const bystanders = [await createLogin(db, user), await createLogin(db, other)];
    expect(await rotateSession(db, token, ["pwd"])).not.toBeNull();
    for (const { token, session } of bystanders)
      expect((await getSession(db, token))?.id).toBe(session.id);
  });

  it.each([
    { dead: "expired", of: "sessions", change: query`expires_at = now()` },
    { dead: "idle", of: "sessions", change: idle },
    { dead: "suspended", of: "users", change: query`status = 'suspended'` },
    { dead: "out of date", of: "users", change: query`auth_version = 2` },
  ])("refuses a session that is $dead, and does not change the row", async ({ of, change }) => {
    const user = await createUser(db);
    const { token } = await createLogin(db, user);
    await ageAll(of, user, change);
    const before = await sessionRows(user);
    expect(await rotateSession(db, token, ["pwd"])).toBeNull();
    expect(await sessionRows(user)).toEqual(before);
    expect(await eventKinds(user)).toEqual(["logged-in"]);
  });

  it("refuses an unknown token, and one that was rotated before", async () => {
    const user = await createUser(db);
    const { token } = await createLogin(db, user);
    await rotateSession(db, token, ["pwd"]);
    const before = await sessionRows(user);
    for (const dead of [token, newToken(), ""])
      expect(await rotateSession(db, dead, ["pwd"])).toBeNull();
    expect(await sessionRows(user)).toEqual(before);
  });
});

/** Changes the user's row, or all of the user's sessions. */
async function ageAll(table: string, user: TestUser, change: SQL): Promise<void> {
  const column = query.identifier(table === "users" ? "id" : "user_id");
  await db.execute(
    query`update ${query.identifier(table)} set ${change} where ${column} = ${user.id}`,
  );
}

describe("rotateSession, thirty at once", () => {
  const lockSession = (id: string) => (tx: Db) =>
    tx.execute(query`select from sessions where id = ${id} for update`);

  it("succeeds once, and that token is the only live one", async () => {
    const user = await createUser(db);
    const { token, session } = await createLogin(db, user);
    const answers = await collide(30, lockSession(session.id), (db) =>
      rotateSession(db, token, ["pwd"]),
    );
    const winners = answers.filter((answer) => answer !== null);
    expect(winners).toHaveLength(1);
    expect(await getSession(db, `${winners[0]?.token}`)).toMatchObject({ id: session.id });
    expect(await getSession(db, token)).toBeNull();
    expect(await eventKinds(user)).toEqual(["logged-in", "session-rotated"]);
  });

  // Proves that the test above can fail: looks up, then updates by id.
  it("would report success to all thirty if the update's WHERE lacked the old token", async () => {
    const { token, session } = await createLogin(db, await createUser(db));
    const answers = await collide(30, lockSession(session.id), async (db) => {
      const found = await getSession(db, token);
      const next = newToken();
      await db.execute(
        query`update sessions set token_hash = ${hashToken(next)} where id = ${found?.id}`,
      );
      return next;
    });
    const alive = await Promise.all(answers.map((next) => getSession(db, next)));
    expect(answers).toHaveLength(30);
    expect(alive.filter((session) => session === null)).toHaveLength(29);
  });

  it("does not keep the session if it races with logging out everywhere", async () => {
    const user = await createUser(db);
    const { token } = await createLogin(db, user);
    const logOut = (tx: Db) => invalidateAllUserSessions(tx, user.id);
    expect(await collide(1, logOut, (db) => rotateSession(db, token, ["pwd"]))).toEqual([null]);
    expect(await sessionRows(user)).toEqual([]);
  });
});

describe("touchSession", () => {
  const stale = sessionPolicy.touchInterval + minutes(1);
  const unseen = (id: string, since: number) =>
    sql`update sessions set last_seen_at = now() - ${span(since)}::interval where id = ${id}`;

  it("records when and where the device was last seen", async () => {
    const user = await createUser(db);
    const { token, session } = await createLogin(db, user, { ip: "203.0.113.1" });
    await unseen(session.id, stale);
    const [before] = await sessionRows(user);
    const seen = await getSession(db, token, { ip: "2001:db8::7", userAgent: "ignored" });
    expect(seen?.touchDue).toBe(true);
    if (seen) await touchSession(db, seen);
    const [after] = await sessionRows(user);
    expect(after?.last_seen_at).toBeGreaterThan(before?.last_seen_at ?? Infinity);
    expect(after).toEqual({ ...before, last_seen_at: after?.last_seen_at, ip: "2001:db8::7" });
    expect((await getSession(db, token))?.touchDue).toBe(false);
  });

  it("keeps the last known IP address if this request's is unknown", async () => {
    const user = await createUser(db);
    const { session } = await createLogin(db, user, { ip: "203.0.113.1" });
    await unseen(session.id, stale);
    await touchSession(db, session);
    expect((await sessionRows(user))[0]?.ip).toBe("203.0.113.1");
  });

  it("writes nothing within the interval", async () => {
    const user = await createUser(db);
    const { session } = await createLogin(db, user);
    await unseen(session.id, sessionPolicy.touchInterval - minutes(1));
    const before = await sessionRows(user);
    await touchSession(db, session);
    expect(await sessionRows(user)).toEqual(before);
  });

  it("does not revive a session that has ended", async () => {
    const user = await createUser(db);
    const { session } = await createLogin(db, user);
    await invalidateSession(db, session, session.id);
    await touchSession(db, session);
    expect(await sessionRows(user)).toEqual([]);
  });

  it("writes once, however many requests come at once", async () => {
    const { session } = await createLogin(db, await createUser(db));
    await unseen(session.id, stale);
    expect(await writesOf(session.id, (db) => touchSession(db, session))).toBe(1);
  });

  // Proves that the test above can fail: relies on what the lookup found.
  it("would write every time if the update's WHERE did not check staleness", async () => {
    const { session } = await createLogin(db, await createUser(db));
    await unseen(session.id, stale);
    const naive = (db: Db) =>
      db.execute(query`update sessions set last_seen_at = now() where id = ${session.id}`);
    expect(await writesOf(session.id, naive)).toBe(10);
  });

  /** Returns how often the row is written when ten callers `touch` it at once. A trigger counts. */
  async function writesOf(id: string, touch: (db: Db) => Promise<unknown>): Promise<number> {
    await sql.unsafe(`
      create table writes (id uuid);
      create function note_write() returns trigger language plpgsql as
        $$ begin insert into writes values (new.id); return new; end $$;
      create trigger note_write after update on sessions for each row execute function note_write()`);
    const lock = (tx: Db) => tx.execute(query`select from sessions where id = ${id} for update`);
    await collide(10, lock, touch);
    const [row] = await sql`select count(*)::int as n from writes where id = ${id}`;
    await sql.unsafe("drop table writes; drop function note_write() cascade");
    return row?.n;
  }
});

describe("invalidateSession", () => {
  it("ends another device of the user at once", async () => {
    const user = await createUser(db);
    const [here, there] = [await createLogin(db, user), await createLogin(db, user)];
    expect(await invalidateSession(db, here.session, there.session.id)).toBe(true);
    expect(await getSession(db, there.token)).toBeNull();
    expect(await getSession(db, here.token)).not.toBeNull();
    const last = (await eventRows(user)).at(-1);
    expect(last).toMatchObject({ kind: "session-ended", session_id: there.session.id });
  });

  it("ends the acting session itself, which is a log out", async () => {
    const user = await createUser(db);
    const { token, session } = await createLogin(db, user);
    expect(await invalidateSession(db, session, session.id)).toBe(true);
    expect(await getSession(db, token)).toBeNull();
    expect(await eventKinds(user)).toEqual(["logged-in", "logged-out"]);
  });

  it("returns false for another user's session, and changes no row", async () => {
    const [user, other] = [await createUser(db), await createUser(db)];
    const [mine, theirs] = [await createLogin(db, user), await createLogin(db, other)];
    expect(await invalidateSession(db, mine.session, theirs.session.id)).toBe(false);
    expect(await getSession(db, theirs.token)).not.toBeNull();
    expect(await getSession(db, mine.token)).not.toBeNull();
    expect(await eventKinds(user)).toEqual(["logged-in"]);
    expect(await eventKinds(other)).toEqual(["logged-in"]);
  });

  it("returns true once of thirty concurrent calls, and records one event", async () => {
    const user = await createUser(db);
    const [here, there] = [await createLogin(db, user), await createLogin(db, user)];
    const lock = (tx: Db) =>
      tx.execute(query`select from sessions where id = ${there.session.id} for update`);
    const answers = await collide(30, lock, (db) =>
      invalidateSession(db, here.session, there.session.id),
    );
    expect(answers.filter(Boolean)).toHaveLength(1);
    expect(await eventKinds(user)).toEqual(["logged-in", "logged-in", "session-ended"]);
  });
});

describe("invalidateOtherSessions", () => {
  it("ends all of the user's sessions except the acting one, with an event for each", async () => {
    const user = await createUser(db);
    const { token, session } = await createLogin(db, user);
    await addSessions(user, 120);
    expect(await invalidateOtherSessions(db, session)).toBe(120);
    expect((await sessionRows(user)).map(({ id }) => id)).toEqual([session.id]);
    expect(await getSession(db, token)).not.toBeNull();
    const ended = (await eventKinds(user)).filter((kind) => kind === "other-sessions-ended");
    expect(ended).toHaveLength(120);
  });

  it("does not change another user's sessions", async () => {
    const [user, other] = [await createUser(db), await createUser(db)];
    const [mine, theirs] = [await createLogin(db, user), await createLogin(db, other)];
    expect(await invalidateOtherSessions(db, mine.session)).toBe(0);
    expect(await getSession(db, theirs.token)).not.toBeNull();
    expect(await eventKinds(other)).toEqual(["logged-in"]);
    expect(await eventKinds(user)).toEqual(["logged-in"]);
  });
});

describe("invalidateAllUserSessions", () => {
  it("ends all of a user's sessions and raises the version, with one event", async () => {
    const user = await createUser(db);
    const { token } = await createLogin(db, user);
    await addSessions(user, 120);
    expect(await invalidateAllUserSessions(db, user.id)).toBe(121);
    expect(await sessionRows(user)).toEqual([]);
    expect(await getSession(db, token)).toBeNull();
    const [row] = await sql`select auth_version from users where id = ${user.id}`;
    expect(row?.auth_version).toBe(2);
    const [, last, ...more] = await eventRows(user);
    expect(last).toMatchObject({ kind: "all-sessions-ended", detail: { ended: 121 } });
    expect(more).toEqual([]);
  });

  it("does not change another user's sessions", async () => {
    const [user, other] = [await createUser(db), await createUser(db)];
    const { token } = await createLogin(db, other);
    await createLogin(db, user);
    expect(await invalidateAllUserSessions(db, user.id)).toBe(1);
    expect(await getSession(db, token)).not.toBeNull();
    const [row] = await sql`select auth_version from users where id = ${other.id}`;
    expect(row?.auth_version).toBe(1);
  });

  it("leaves the user able to log in again", async () => {
    const user = await createUser(db);
    await invalidateAllUserSessions(db, user.id);
    const { token } = await createLogin(db, user);
    expect(await getSession(db, token)).not.toBeNull();
  });
});

describe("invalidateAllSessions", () => {
  it("ends all sessions of all users, with one event per logged-in user and one in total", async () => {
    const [here, there, out] = [await createUser(db), await createUser(db), await createUser(db)];
    const logins = [await createLogin(db, here), await createLogin(db, there)];
    await addSessions(here, 5);
    const [{ n } = { n: 0 }] = await sql<{ n: number }[]>`select count(*)::int as n from sessions`;
    const [{ last } = { last: 0 }] = await sql<{ last: number }[]>`
      select coalesce(max(id), 0)::int as last from audit_events`;
    expect(await invalidateAllSessions(db)).toBe(n);
    for (const { token } of logins) expect(await getSession(db, token)).toBeNull();
    expect(await sql`select from sessions`).toHaveLength(0);
    for (const user of [here, there])
      expect(await eventKinds(user)).toEqual(["logged-in", "all-sessions-ended"]);
    expect(await eventKinds(out)).toEqual([]);
    const whole = await sql`select kind from audit_events where user_id is null and id > ${last}`;
    expect(whole.map(({ kind }) => kind)).toEqual(["all-sessions-ended"]);
    const { token } = await createLogin(db, here);
    expect(await getSession(db, token)).not.toBeNull();
  });

  // Without the new version, each of these logins would be live afterwards.
  it("refuses logins in progress", async () => {
    const testUsers = await Promise.all(times(10, () => createUser(db)));
    const logins = await collide(
      10,
      (tx) => invalidateAllSessions(tx),
      (db, index) =>
        createSession(db, {
          ...{ userId: testUsers[index]?.id ?? "", authVersion: 1, amr: ["pwd"], persistent: true },
          ...{ presented: null, client: unknownClient },
        }),
    );
    expect(logins).toEqual(times(10, () => null));
  });
});

describe("listSessions", () => {
  it("lists the user's own sessions, most recently seen first, without a secret", async () => {
    const [user, other] = [await createUser(db), await createUser(db)];
    const { session, token } = await createLogin(db, user, { userAgent: "Here" });
    await addSessions(user, 3);
    await addSessions(other, 3);
    const devices = await listSessions(db, session);
    const rows = (await sessionRows(user)).sort((a, b) => b.last_seen_at - a.last_seen_at);
    expect(devices.map(({ id }) => id)).toEqual(rows.map(({ id }) => id));
    expect(devices[0]).toMatchObject({ id: session.id, userAgent: "Here", kind: "web" });
    expect(JSON.stringify(devices)).not.toContain(hashToken(token).toString("hex"));
    expect(Object.keys(devices[0] ?? {})).not.toContain("tokenHash");
  });

  it("returns only the most recently seen up to the limit", async () => {
    const user = await createUser(db);
    const { session } = await createLogin(db, user);
    await addSessions(user, 5);
    const all = await listSessions(db, session);
    expect(await listSessions(db, session, 2)).toEqual(all.slice(0, 2));
  });

  it.each([
    { dead: "expired", change: query`expires_at = now()` },
    { dead: "idle", change: idle },
    { dead: "out of date", change: query`auth_version = 0` },
  ])("omits a session that is $dead", async ({ change }) => {
    const user = await createUser(db);
    const [here, there] = [await createLogin(db, user), await createLogin(db, user)];
    await db.execute(query`update sessions set ${change} where id = ${there.session.id}`);
    const devices = await listSessions(db, here.session);
    expect(devices.map(({ id }) => id)).toEqual([here.session.id]);
  });

  it("lists an app until its idle time ends, to the second", async () => {
    await db.transaction(async (tx) => {
      const user = await createUser(tx);
      const { session } = await createLogin(tx, user);
      const isListedAt = async (shift: number) => {
        await tx.execute(query`delete from sessions where kind = 'app'`);
        await tx.execute(query`
          insert into sessions (user_id, kind, auth_version, amr, expires_at, last_seen_at)
          values (${user.id}, 'app', 1, '{pwd}', now() + interval '1 day',
            now() - ${span(sessionPolicy.app.idle)}::interval + ${shift} * interval '1 second')`);
        return (await listSessions(tx, session)).some(({ kind }) => kind === "app");
      };
      expect(await isListedAt(1)).toBe(true);
      expect(await isListedAt(0)).toBe(false);
      expect(await isListedAt(-1)).toBe(false);
    });
  });
});

describe("mergeSessionData", () => {
  it("stores a key with the session, for its next requests", async () => {
    const { token, session } = await createLogin(db, await createUser(db));
    expect(await mergeSessionData(db, session, { firstStepsHidden: true })).toBe(true);
    expect((await getSession(db, token))?.data).toEqual({ firstStepsHidden: true });
    await mergeSessionData(db, session, { firstStepsHidden: undefined });
    expect((await getSession(db, token))?.data).toEqual({ firstStepsHidden: true });
  });

  it("refuses a key that is not in the schema, and changes nothing", async () => {
    const user = await createUser(db);
    const { session } = await createLogin(db, user);
    const patch: object = { isAdmin: true };
    await expect(mergeSessionData(db, session, patch)).rejects.toThrow("isAdmin");
    expect((await sessionRows(user))[0]?.data).toEqual({});
  });

  it("throws above 4 KB, and changes nothing", async () => {
    const user = await createUser(db);
    const { session } = await createLogin(db, user);
    // Exactly 4096 bytes, so the next key is one too many.
    await sql`update sessions set data = jsonb_build_object('k', repeat('x', 4087)) where id = ${session.id}`;
    const before = await sessionRows(user);
    await expect(mergeSessionData(db, session, { firstStepsHidden: true })).rejects.toThrow();
    expect(await sessionRows(user)).toEqual(before);
  });

  it("returns false if the session has ended, and changes no other session", async () => {
    const user = await createUser(db);
    const [here, there] = [await createLogin(db, user), await createLogin(db, user)];
    await invalidateSession(db, here.session, there.session.id);
    expect(await mergeSessionData(db, there.session, { firstStepsHidden: true })).toBe(false);
    expect((await sessionRows(user)).map(({ data }) => data)).toEqual([{}]);
  });

  it("loses no key that another request writes at the same time", async () => {
    const user = await createUser(db);
    const { session } = await createLogin(db, user);
    const merge = (db: Db) => mergeSessionData(db, session, { firstStepsHidden: true });
    await collide(1, writeOtherKey(session.id), merge);
    expect((await sessionRows(user))[0]?.data).toEqual({ other: 1, firstStepsHidden: true });
  });

  // Proves that the test above can fail: reads, merges here, and writes the whole.
  it("would lose it if it merged into data that it had read before", async () => {
    const user = await createUser(db);
    const { session } = await createLogin(db, user);
    await collide(1, writeOtherKey(session.id), (db) => {
      const merged = JSON.stringify({ ...session.data, firstStepsHidden: true });
      return db.execute(query`update sessions set data = ${merged} where id = ${session.id}`);
    });
    expect((await sessionRows(user))[0]?.data).toEqual({ firstStepsHidden: true });
  });

  function writeOtherKey(id: string) {
    return (tx: Db) =>
      tx.execute(query`update sessions set data = data || '{"other": 1}' where id = ${id}`);
  }
});

describe("deleteExpiredSessions", () => {
  it("deletes 50,000 expired ones from two instances at once, while lookups answer", async () => {
    const user = await createUser(db);
    const { token, session } = await createLogin(db, user);
    await deleteExpiredSessions(db); // rows of the tests above
    await addSessions(user, 50_000, "-1 second");
    const [one, two, ...lookups] = await Promise.all([
      deleteExpiredSessions(db),
      deleteExpiredSessions(db),
      ...times(20, () => getSession(db, token)),
    ]);
    expect(one + two).toBe(50_000);
    expect(lookups.map((found) => found?.id)).toEqual(times(20, () => session.id));
    expect((await sessionRows(user)).map(({ id }) => id)).toEqual([session.id]);
  });

  it("keeps sessions that have not expired", async () => {
    const user = await createUser(db);
    await addSessions(user, 5, "1 minute");
    await deleteExpiredSessions(db);
    expect(await sessionRows(user)).toHaveLength(5);
  });
});
