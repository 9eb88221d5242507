import { sql as query } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import {
  type ChangePassword,
  changePassword,
  type RedeemPasswordReset,
  redeemPasswordReset,
} from "@/lib/auth/account/password-change";
import { hashPassword } from "@/lib/auth/credentials/passwords";
import { createLink, type LinkPurpose } from "@/lib/auth/links";
import { logIn } from "@/lib/auth/login/log-in";
import { hashToken, newToken } from "@/lib/auth/secrets";
import { invalidateAllUserSessions, invalidateSession } from "@/lib/auth/sessions/end";
import { getSession, type Session } from "@/lib/auth/sessions/lookup";
import type { Db } from "@/lib/db/client";
import { db, sql } from "@/tests/support/database";
import { collide, times } from "@/tests/support/races";
import {
  addSessions,
  eventKinds,
  eventRows,
  jobRows,
  linkPurposes,
  mailKinds,
  passwordHash,
  sessionRows,
  userRow,
  wholeDatabase,
} from "@/tests/support/rows";
import {
  createLogin,
  createUser,
  opensWith,
  password,
  type TestUser,
  withPassword,
} from "@/tests/support/users";

const next = "kelp otter zinc";
const client = { ip: "203.0.113.9", userAgent: "Test Browser" };

const linkFor = (user: TestUser, purpose: LinkPurpose = "password-reset") =>
  createLink(db, { userId: user.id, purpose, sentTo: user.email });

/** Creates a logged-in user, and the arguments of a change. */
async function atSettings(): Promise<{
  user: TestUser;
  session: Session;
  change: { presented: string; current: string; next: string };
}> {
  const user = await createUser(db);
  const { session, token } = await createLogin(db, user);
  const change = { presented: token, current: password, next };
  return { user, session: { ...session, client }, change };
}

/** Returns everything that a refusal must leave unchanged. */
async function everythingOf(user: TestUser) {
  return {
    user: await userRow(user),
    hash: await passwordHash(user),
    sessions: await sessionRows(user),
    links: await linkPurposes(user),
    events: await eventKinds(user),
    jobs: await jobRows(user),
  };
}

describe("changePassword", () => {
  it("makes the new password the only one that opens the account", async () => {
    const { user, session, change } = await atSettings();
    expect((await changePassword(db, session, change)).ok).toBe(true);
    expect(await opensWith(db, user, next)).toBe(true);
    expect(await opensWith(db, user, password)).toBe(false);
  });

  it("keeps this device, under the same id and a new token", async () => {
    const { user, session, change } = await atSettings();
    const answer = await changePassword(db, session, change);
    if (!answer.ok) throw new Error(answer.reason);
    expect(answer.token).not.toBe(change.presented);
    expect(await getSession(db, answer.token)).toMatchObject({ id: session.id });
    expect(await getSession(db, change.presented)).toBeNull();
    expect(await sessionRows(user)).toHaveLength(1);
  });

  it("counts as a fresh proof, and does not move the absolute end", async () => {
    const { user, session, change } = await atSettings();
    await sql`update sessions set authenticated_at = now() - interval '2 days' where id = ${session.id}`;
    const [before] = await sessionRows(user);
    await changePassword(db, session, change);
    const [after] = await sessionRows(user);
    expect(after?.authenticated_at).toBeGreaterThan(before?.authenticated_at ?? Infinity);
    expect(after?.expires_at).toBe(before?.expires_at);
  });

  it("ends every other session of the user, and no session of another user", async () => {
    const { user, session, change } = await atSettings();
    const there = await createLogin(db, user);
    await addSessions(user, 60);
    const otherUser = await createLogin(db, await createUser(db));
    await changePassword(db, session, change);
    expect((await sessionRows(user)).map(({ id }) => id)).toEqual([session.id]);
    expect(await getSession(db, there.token)).toBeNull();
    expect(await getSession(db, otherUser.token)).not.toBeNull();
  });

  it("ends the open links, except those that undo an attack", async () => {
    const { user, session, change } = await atSettings();
    for (const purpose of ["password-reset", "email-change", "email-restore", "not-me"] as const)
      await linkFor(user, purpose);
    await changePassword(db, session, change);
    expect(await linkPurposes(user)).toEqual(["email-restore", "not-me"]);
  });

  it("records one event, and queues a mail to the email at that time", async () => {
    const { user, session, change } = await atSettings();
    await changePassword(db, session, change);
    expect((await eventRows(user)).slice(1)).toEqual([
      {
        ...{ kind: "password-changed", session_id: session.id, ip: client.ip },
        ...{ user_agent: client.userAgent, detail: {} },
      },
    ]);
    const [job, ...more] = await jobRows(user);
    expect(job?.payload).toMatchObject({ mail: "password-changed", to: user.email, client });
    expect(more).toEqual([]);
  });

  it("keeps neither password nor token in the clear, nor in the queue", async () => {
    const { session, change } = await atSettings();
    const answer = await changePassword(db, session, { ...change, next: "walrus 9 quartz lamp" });
    const everything = await wholeDatabase();
    for (const secret of ["walrus 9 quartz", change.current, answer.ok ? answer.token : ""])
      expect(everything).not.toContain(secret);
  });

  it.each([
    ["a wrong current password", { current: "wrong" }, { reason: "incorrect" }],
    ["a short one", { next: "kelp otter" }, { reason: "password", fault: "too-short" }],
    ["a megabyte", { next: "x".repeat(1e6) }, { reason: "password", fault: "too-long" }],
    ["a common one", { next: "passwordpassword" }, { reason: "password", fault: "common" }],
    ["the name", { next: "Test Person 123" }, { reason: "password", fault: "personal" }],
    ["another token", { presented: newToken() }, { reason: "overtaken" }],
    ["no token", { presented: "" }, { reason: "overtaken" }],
  ])("refuses %s, and changes no row", async (_, given, refusal) => {
    const { user, session, change } = await atSettings();
    await linkFor(user);
    const before = await everythingOf(user);
    const answer = await changePassword(db, session, { ...change, ...given });
    expect(answer).toEqual({ ok: false, ...refusal });
    expect(await everythingOf(user)).toEqual(before);
  });

  it("refuses another user's password, and changes neither user's rows", async () => {
    const { user, session, change } = await atSettings();
    const other = await createUser(db);
    await sql`update passwords set hash = ${await hashPassword("other's secret word")} where user_id = ${other.id}`;
    const before = [await everythingOf(user), await everythingOf(other)];
    const answer = await changePassword(db, session, { ...change, current: "other's secret word" });
    expect(answer).toEqual({ ok: false, reason: "incorrect" });
    expect([await everythingOf(user), await everythingOf(other)]).toEqual(before);
  });

  it.each([
    ["ended", query`delete from sessions`],
    ["is of an older version", query`update sessions set auth_version = 0`],
  ])("refuses a session that %s meanwhile, and keeps the password", async (_, change_) => {
    const { user, session, change } = await atSettings();
    await db.execute(query`${change_} where user_id = ${user.id}`);
    const before = await everythingOf(user);
    expect(await changePassword(db, session, change)).toEqual({ ok: false, reason: "overtaken" });
    expect(await everythingOf(user)).toEqual(before);
  });

  it("refuses a suspended user", async () => {
    const { user, session, change } = await atSettings();
    await sql`update users set status = 'suspended' where id = ${user.id}`;
    const before = await everythingOf(user);
    expect(await changePassword(db, session, change)).toEqual({ ok: false, reason: "overtaken" });
    expect(await everythingOf(user)).toEqual(before);
  });
});

const lockUser = (user: TestUser) => (tx: Db) =>
  tx.execute(query`select from users where id = ${user.id} for update`);

const attempt = (user: TestUser) => ({
  ...{ email: user.email, password, persistent: true },
  ...{ presented: null, knownBrowser: true, client },
});

describe("changePassword, while wrong codes retire the password", () => {
  // A naive variant without a second check under the lock would report a changed password.
  it("changes nothing, and reports it", async () => {
    const { user, session, change } = await atSettings();
    const [answer] = await collide(
      1,
      async (tx) => {
        await lockUser(user)(tx);
        await tx.execute(query`delete from passwords where user_id = ${user.id}`);
      },
      (db) => changePassword(db, session, change),
    );
    expect(answer).toEqual({ ok: false, reason: "overtaken" });
    expect(await eventKinds(user)).not.toContain("password-changed");
    expect(await mailKinds(user)).toEqual([]);
  });
});

describe("changePassword, thirty at once", () => {
  it("has one winner, whose token and password are the only ones that work", async () => {
    const { user, session, change } = await atSettings();
    const choice = (n: number) => `kelp otter zinc ${n}`;
    const answers = await collide(30, lockUser(user), (db, n) =>
      changePassword(db, session, { ...change, next: choice(n) }),
    );
    const winner = answers.findIndex(({ ok }) => ok);
    const isOvertaken = (answer: ChangePassword) => !answer.ok && answer.reason === "overtaken";
    expect(answers.filter(isOvertaken)).toHaveLength(29);
    const won = answers[winner];
    expect(won?.ok && (await getSession(db, won.token))?.id).toBe(session.id);
    expect(await opensWith(db, user, choice(winner))).toBe(true);
    expect((await eventKinds(user)).filter((kind) => kind === "password-changed").length).toBe(1);
    expect(await mailKinds(user)).toEqual(["password-changed"]);
  });

  // Proves that the test above can fail: checks the password, then writes.
  it("would report success to all thirty without the check of auth_version", async () => {
    const { user } = await atSettings();
    const answers = await collide(30, lockUser(user), async (db) => {
      if (!(await opensWith(db, user, password))) return "incorrect";
      await db.execute(
        query`update users set auth_version = auth_version + 1 where id = ${user.id}`,
      );
      return "changed";
    });
    expect(answers).toEqual(times(30, () => "changed"));
  });
});

describe("thirty logins with the old password, while it is changed", () => {
  it("leave only the device that changed it logged in", async () => {
    const { user, session, change } = await atSettings();
    await collide<unknown>(31, lockUser(user), (db, n) =>
      n === 15 ? changePassword(db, session, change) : logIn(db, attempt(user)),
    );
    expect((await sessionRows(user)).map(({ id }) => id)).toEqual([session.id]);
    expect(await opensWith(db, user, next)).toBe(true);
  });

  // Proves that the test above can fail: inserts without checking the version again.
  it("would all stay logged in if a login did not check the version it read", async () => {
    const { user, session, change } = await atSettings();
    const holds = (tx: Db) => changePassword(tx, session, change);
    const tokens = await collide(30, holds, async (db) => {
      const token = newToken();
      await db.execute(query`select from users where id = ${user.id} for no key update`);
      await db.execute(query`
        insert into sessions (user_id, token_hash, auth_version, amr, expires_at)
        select id, ${hashToken(token)}, auth_version, '{pwd}', now() + interval '1 day'
        from users where id = ${user.id}`);
      return token;
    });
    const alive = await Promise.all(tokens.map((token) => getSession(db, token)));
    expect(alive.filter((session) => session !== null)).toHaveLength(30);
  });
});

describe("change, reset, log in and log out everywhere, thirty of each at once", () => {
  it("end as if run one after the other, and leave no session of an old password", async () => {
    const { user, session, change } = await atSettings();
    const token = await linkFor(user);
    const answers = await collide(120, lockUser(user), async (db, n) => {
      if (n % 4 === 0) return (await changePassword(db, session, change)).ok && "changed";
      if (n % 4 === 1)
        return (await redeemPasswordReset(db, token, withPassword(next), client)).ok && "reset";
      if (n % 4 === 2) return (await logIn(db, attempt(user))).ok && "logged in";
      await invalidateAllUserSessions(db, user.id, client);
      return "everywhere";
    });
    const count = (what: string) => answers.filter((answer) => answer === what).length;
    expect(count("everywhere")).toBe(30);
    expect(count("changed")).toBeLessThanOrEqual(1);
    expect(count("reset")).toBeLessThanOrEqual(1);
    const version = 1 + count("everywhere") + count("changed") + count("reset");
    expect((await userRow(user))?.auth_version).toBe(version);
    expect(await opensWith(db, user, password)).toBe(count("changed") + count("reset") === 0);
    const kinds = await eventKinds(user);
    const last = kinds.findLastIndex((kind) => /^(all-sessions-ended|password-)/.test(kind));
    expect(kinds.slice(last + 1)).toEqual([]);
    const live = await sql`
      select id from sessions where user_id = ${user.id} and auth_version = ${version}`;
    const isKept = kinds[last] === "password-changed";
    expect(live.map(({ id }) => id)).toEqual(isKept ? [session.id] : []);
  });

  it("let only one of a concurrent change and reset succeed", async () => {
    for (let round = 0; round < 10; round++) {
      const { user, session, change } = await atSettings();
      const token = await linkFor(user);
      const [changed, reset] = await collide<{ ok: boolean }>(2, lockUser(user), (db, n) =>
        n === 0
          ? changePassword(db, session, change)
          : redeemPasswordReset(db, token, withPassword("walrus quartz lamp"), client),
      );
      // The change ends the link and the reset raises the version, so the later one is refused.
      expect([changed?.ok, reset?.ok].sort()).toEqual([false, true]);
      expect(await sessionRows(user)).toHaveLength(changed?.ok ? 1 : 0);
      expect(await opensWith(db, user, changed?.ok ? next : "walrus quartz lamp")).toBe(true);
    }
  });
});

describe("redeemPasswordReset", () => {
  it("sets the password, ends every session and creates none", async () => {
    const user = await createUser(db);
    const there = await createLogin(db, user);
    await addSessions(user, 60);
    const token = await linkFor(user);
    expect(await redeemPasswordReset(db, token, withPassword(next), client)).toMatchObject({
      ok: true,
    });
    expect(await opensWith(db, user, next)).toBe(true);
    expect(await opensWith(db, user, password)).toBe(false);
    expect(await getSession(db, there.token)).toBeNull();
    expect(await sessionRows(user)).toEqual([]);
  });

  it("touches no other user", async () => {
    const [user, other] = [await createUser(db), await createUser(db)];
    await createLogin(db, other);
    await linkFor(other);
    const before = await everythingOf(other);
    const token = await linkFor(user);
    const answer = await redeemPasswordReset(db, token, withPassword(next), client);
    expect(answer).toMatchObject({ ok: true });
    expect(await everythingOf(other)).toEqual(before);
  });

  it("records one event, queues a mail, and keeps the links that undo an attack", async () => {
    const user = await createUser(db);
    for (const purpose of ["email-change", "email-restore", "not-me"] as const)
      await linkFor(user, purpose);
    const token = await linkFor(user);
    await redeemPasswordReset(db, token, withPassword(next), client);
    expect(await eventRows(user)).toEqual([
      {
        ...{ kind: "password-reset", session_id: null, ip: client.ip },
        ...{ user_agent: client.userAgent, detail: {} },
      },
    ]);
    const [job, ...more] = await jobRows(user);
    expect(job?.payload).toMatchObject({ mail: "password-changed", to: user.email, client });
    expect(more).toEqual([]);
    expect(await linkPurposes(user)).toEqual(["email-restore", "not-me"]);
    for (const secret of [token, next]) expect(await wholeDatabase()).not.toContain(secret);
  });

  it("sets the first password of an account without one", async () => {
    const user = await createUser(db);
    await sql`delete from passwords where user_id = ${user.id}`;
    expect(
      await redeemPasswordReset(db, await linkFor(user), withPassword(next), client),
    ).toMatchObject({
      ok: true,
    });
    expect(await opensWith(db, user, next)).toBe(true);
  });

  it("works once", async () => {
    const user = await createUser(db);
    const token = await linkFor(user);
    await redeemPasswordReset(db, token, withPassword(next), client);
    const before = await everythingOf(user);
    const again = await redeemPasswordReset(db, token, withPassword("walrus quartz lamp"), client);
    expect(again).toEqual({ ok: false, reason: "dead-link" });
    expect(await everythingOf(user)).toEqual(before);
  });

  it("works only with the newest link if two were requested", async () => {
    const user = await createUser(db);
    const [older, newer] = [await linkFor(user), await linkFor(user)];
    const dead = await redeemPasswordReset(db, older, withPassword("walrus quartz lamp"), client);
    expect(dead).toEqual({ ok: false, reason: "dead-link" });
    expect(await redeemPasswordReset(db, newer, withPassword(next), client)).toMatchObject({
      ok: true,
    });
    expect(await opensWith(db, user, next)).toBe(true);
  });

  it.each([
    ["too-short", "kelp otter"],
    ["too-long", "x".repeat(1e6)],
    ["common", "passwordpassword"],
    ["personal", "Test Person 123"],
  ])("refuses a password that is %s, and keeps the link", async (fault, chosen) => {
    const user = await createUser(db);
    await createLogin(db, user);
    const token = await linkFor(user);
    const before = await everythingOf(user);
    const answer = await redeemPasswordReset(db, token, withPassword(chosen), client);
    expect(answer).toEqual({ ok: false, reason: "password", fault });
    expect(await everythingOf(user)).toEqual(before);
    expect(await redeemPasswordReset(db, token, withPassword(next), client)).toMatchObject({
      ok: true,
    });
  });

  it.each([
    ["a changed address", query`update users set email = 'moved-' || email where id = `],
    ["a suspended user", query`update users set status = 'suspended' where id = `],
    ["an expired link", query`update links set expires_at = now() where user_id = `],
    ["another purpose", query`update links set purpose = 'email-change' where user_id = `],
  ])("refuses %s, and changes no row", async (_, change) => {
    const user = await createUser(db);
    await createLogin(db, user);
    const token = await linkFor(user);
    await db.execute(query`${change}${user.id}`);
    const before = await everythingOf(user);
    const answer = await redeemPasswordReset(db, token, withPassword(next), client);
    expect(answer).toEqual({ ok: false, reason: "dead-link" });
    expect(await everythingOf(user)).toEqual(before);
  });

  it("refuses the link from its expiry on, to the second", async () => {
    const worksAt = (shift: number) =>
      db.transaction(async (tx) => {
        const user = await createUser(tx);
        const link = { userId: user.id, sentTo: user.email };
        const token = await createLink(tx, { ...link, purpose: "password-reset" });
        await tx.execute(query`
            update links set expires_at = now() + ${shift} * interval '1 second'
            where user_id = ${user.id}`);
        return (await redeemPasswordReset(tx, token, withPassword(next), client)).ok;
      });
    expect(await worksAt(1)).toBe(true);
    expect(await worksAt(0)).toBe(false);
    expect(await worksAt(-1)).toBe(false);
  });

  it("refuses a token that is no link", async () => {
    for (const token of [newToken(), "", "x", "\0", "x".repeat(1e5)])
      expect(await redeemPasswordReset(db, token, withPassword(next), client)).toEqual({
        ok: false,
        reason: "dead-link",
      });
  });
});

describe("redeemPasswordReset, thirty at once with one link", () => {
  const lockLink = (token: string) => (tx: Db) =>
    tx.execute(query`select from links where token_hash = ${hashToken(token)} for update`);

  it.each([
    ["at the user", (user: TestUser, _: string) => lockUser(user)],
    ["at the link", (_: TestUser, token: string) => lockLink(token)],
  ])("succeeds once, where they meet %s", async (_, holdOf) => {
    const user = await createUser(db);
    const token = await linkFor(user);
    const answers = await collide(30, holdOf(user, token), (db, n) =>
      redeemPasswordReset(db, token, withPassword(`kelp otter zinc ${n}`), client),
    );
    const winner = answers.findIndex(({ ok }) => ok);
    const isDead = (answer: RedeemPasswordReset) => !answer.ok && answer.reason === "dead-link";
    expect(answers.filter(isDead)).toHaveLength(29);
    expect(await opensWith(db, user, `kelp otter zinc ${winner}`)).toBe(true);
    expect(await eventKinds(user)).toEqual(["password-reset"]);
    expect(await mailKinds(user)).toEqual(["password-changed"]);
  });

  // Proves that the test above can fail: looks the link up, then deletes it.
  it("would accept all thirty if it ignored whether its delete found the link", async () => {
    const user = await createUser(db);
    const token = await linkFor(user);
    const accepted = await collide(30, lockLink(token), async (db) => {
      const [found] = await db.execute(
        query`select user_id from links where token_hash = ${hashToken(token)}`,
      );
      await db.execute(query`delete from links where token_hash = ${hashToken(token)}`);
      return found !== undefined;
    });
    expect(accepted.filter(Boolean)).toHaveLength(30);
  });
});

describe("a log out of this device during a change of its password", () => {
  it("ends the session, whichever is first", async () => {
    for (let round = 0; round < 5; round++) {
      const { user, session, change } = await atSettings();
      const lock = (tx: Db) =>
        tx.execute(query`select from sessions where id = ${session.id} for update`);
      await collide<unknown>(2, lock, (db, n) =>
        n === 0 ? changePassword(db, session, change) : invalidateSession(db, session, session.id),
      );
      expect(await sessionRows(user)).toEqual([]);
    }
  });
});
