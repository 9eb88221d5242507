import { sql as query } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { deleteAccount } from "@/lib/auth/account/deletion";
import { changePassword } from "@/lib/auth/account/password-change";
import { createLink } from "@/lib/auth/links";
import { logIn } from "@/lib/auth/login/log-in";
import { addMail } from "@/lib/auth/mails/jobs";
import { invalidateSession } from "@/lib/auth/sessions/end";
import { getSession } from "@/lib/auth/sessions/lookup";
import type { Db } from "@/lib/db/client";
import { db, sql } from "@/tests/support/database";
import { collide } from "@/tests/support/races";
import {
  addSessions,
  eventKinds,
  jobRows,
  linkPurposes,
  mailKinds,
  passwordHash,
  sessionRows,
  userRow,
  wholeDatabase,
} from "@/tests/support/rows";
import { createLogin, createUser, password, type TestUser } from "@/tests/support/users";

const client = { ip: "203.0.113.9", userAgent: "Test Browser" };
const ended = { ok: false, reason: "ended" };
const incorrect = { ok: false, reason: "incorrect" };

const lockUser = (user: TestUser) => (tx: Db) =>
  tx.execute(query`select from users where id = ${user.id} for update`);

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

describe("deleteAccount", () => {
  it("ends every session at once, and leaves no row that is the user's", async () => {
    const user = await createUser(db);
    const [here, there] = [await createLogin(db, user), await createLogin(db, user)];
    await addSessions(user, 60);
    await createLink(db, { userId: user.id, purpose: "not-me", sentTo: user.email });
    expect(await deleteAccount(db, here.session)).toEqual({ ok: true });
    for (const { token } of [here, there]) expect(await getSession(db, token)).toBeNull();
    expect(await userRow(user)).toBeUndefined();
    expect(await sessionRows(user)).toEqual([]);
    expect(await linkPurposes(user)).toEqual([]);
    expect(await sql`select from passwords where user_id = ${user.id}`).toHaveLength(0);
  });

  it("keeps the events, without any trace of the user", async () => {
    const user = await createUser(db, { name: "Grace Walker-Deleted" });
    const { session } = await createLogin(db, user, { ip: "203.0.113.77", userAgent: "Grace's" });
    const [{ last } = { last: 0 }] = await sql<{ last: number }[]>`
      select coalesce(max(id), 0)::int - 1 as last from audit_events`;
    await deleteAccount(db, { ...session, client });
    const events = await sql`
      select kind, user_id, actor_id, session_id, ip, user_agent, detail
      from audit_events where id > ${last} order by id`;
    const unlinked = {
      user_id: null,
      actor_id: null,
      session_id: null,
      ip: null,
      user_agent: null,
    };
    expect([...events]).toEqual([
      { kind: "logged-in", ...unlinked, detail: {} },
      { kind: "account-deleted", ...unlinked, detail: {} },
    ]);
    await sql`delete from graphile_worker._private_jobs`; // the farewell mail names the email
    const everything = await wholeDatabase();
    for (const trace of [user.id, user.email, user.name, "203.0.113.77", "Grace's"])
      expect(everything).not.toContain(trace);
  });

  it("mails a farewell to the email of the deleted account", async () => {
    const user = await createUser(db);
    const { session } = await createLogin(db, user);
    await deleteAccount(db, session);
    expect((await jobRows({ email: user.email })).map(({ payload }) => payload)).toEqual([
      { mail: "farewell", to: user.email, name: user.name },
    ]);
  });

  it("removes every job that names the user (waiting, begun or given up), except the farewell", async () => {
    const user = await createUser(db);
    const other = await createUser(db);
    const { session } = await createLogin(db, user);
    const to = user.email;
    const { id: userId } = user;
    const at = new Date().toISOString();
    await addMail(db, "password-reset", { to });
    await addMail(db, "password-reset", { to: to.toUpperCase() });
    await addMail(db, "suspended", { userId, to: `former-${to}` });
    await addMail(db, "email-change", { userId, to: `next-${to}`, authVersion: 1 });
    await addMail(db, "new-device", { userId, to, client, at, event: 1 });
    await addMail(db, "password-reset", { to: other.email });
    await sql`
      update graphile_worker._private_jobs set attempts = max_attempts, last_error = 'given up'
      where payload->>'mail' = 'suspended'`;
    await sql`
      update graphile_worker._private_jobs set locked_at = now(), locked_by = 'a worker'
      where payload->>'mail' = 'new-device'`;
    expect(await deleteAccount(db, session)).toEqual({ ok: true });
    const left = await sql<{ payload: object }[]>`
      select payload from graphile_worker._private_jobs
      where payload::text like ${`%${user.email}%`} or payload::text like ${`%${userId}%`}`;
    expect(left.map(({ payload }) => payload)).toEqual([{ mail: "farewell", to, name: user.name }]);
    expect(await mailKinds({ email: other.email })).toEqual(["password-reset"]);
  });

  it("removes no job if it is refused", async () => {
    const user = await createUser(db);
    const { session } = await createLogin(db, user);
    await addMail(db, "password-reset", { to: user.email });
    await invalidateSession(db, session, session.id);
    expect(await deleteAccount(db, session)).toEqual(ended);
    expect(await mailKinds({ email: user.email })).toEqual(["password-reset"]);
  });

  it("touches no other user", async () => {
    const [user, other] = [await createUser(db), await createUser(db)];
    const [mine, theirs] = [await createLogin(db, user), await createLogin(db, other)];
    const before = await everythingOf(other);
    expect(await deleteAccount(db, mine.session)).toEqual({ ok: true });
    expect(await everythingOf(other)).toEqual(before);
    expect(await getSession(db, theirs.token)).not.toBeNull();
  });

  it("refuses a session that has ended, and changes no row", async () => {
    const user = await createUser(db);
    const { session } = await createLogin(db, user);
    await invalidateSession(db, session, session.id);
    const before = await everythingOf(user);
    expect(await deleteAccount(db, session)).toEqual(ended);
    expect(await everythingOf(user)).toEqual(before);
  });

  it("refuses a session that a password change ends at the same moment", async () => {
    const user = await createUser(db);
    const [owner, attacker] = [await createLogin(db, user), await createLogin(db, user)];
    const change = { presented: owner.token, current: password, next: "kelp otter zinc" };
    const hold = (tx: Db) => changePassword(tx, owner.session, change);
    const answers = await collide(1, hold, (db) => deleteAccount(db, attacker.session));
    expect(answers).toEqual([ended]);
    expect(await userRow(user)).toBeDefined();
    expect(await getSession(db, owner.token)).toBeNull();
    expect(await sessionRows(user)).toHaveLength(1);
  });

  it("succeeds once of thirty concurrent calls, with one farewell", async () => {
    const user = await createUser(db);
    const { session } = await createLogin(db, user);
    const answers = await collide(30, lockUser(user), (db) => deleteAccount(db, session));
    expect(answers.filter(({ ok }) => ok)).toHaveLength(1);
    expect(await mailKinds({ email: user.email })).toEqual(["farewell"]);
  });

  it("leaves no orphan and no failed login during thirty concurrent logins", async () => {
    const user = await createUser(db);
    const { session } = await createLogin(db, user);
    const visit = { persistent: true, presented: null, knownBrowser: true, client };
    const [deleted, ...logins] = await collide<{ ok: boolean }>(31, lockUser(user), (db, n) =>
      n === 0 ? deleteAccount(db, session) : logIn(db, { email: user.email, password, ...visit }),
    );
    expect(deleted).toEqual({ ok: true });
    expect(logins.filter(({ ok }) => !ok)).toEqual(logins.filter(({ ok }) => !ok).fill(incorrect));
    expect(await sessionRows(user)).toEqual([]);
    expect(await sql`select from audit_events where user_id = ${user.id}`).toHaveLength(0);
  });

  it("waits for a log out in progress, without a deadlock", async () => {
    for (let round = 0; round < 5; round++) {
      const user = await createUser(db);
      const [here, there] = [await createLogin(db, user), await createLogin(db, user)];
      const lock = (tx: Db) =>
        tx.execute(query`select from sessions where id = ${there.session.id} for update`);
      const answers = await collide<unknown>(2, lock, (db, n) =>
        n === 0
          ? invalidateSession(db, here.session, there.session.id)
          : deleteAccount(db, here.session),
      );
      expect(answers[1]).toEqual({ ok: true });
      expect(await userRow(user)).toBeUndefined();
    }
  });
});
