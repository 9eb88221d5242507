import { sql as query } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { suspend } from "@/lib/admin/actions";
import { listAllEvents, listEvents, recordEach, recordFailure, unknownClient } from "@/lib/audit";
import { deleteAccount } from "@/lib/auth/account/deletion";
import { invalidateOtherSessions } from "@/lib/auth/sessions/end";
import type { Db } from "@/lib/db/client";
import { db, sql } from "@/tests/support/database";
import { collide } from "@/tests/support/races";
import { addSessions, eventKinds, eventRows, sessionRows } from "@/tests/support/rows";
import { createLogin, createUser } from "@/tests/support/users";

describe("recordEach", () => {
  it("records an event for each changed row, with the client of the request", async () => {
    const user = await createUser(db);
    await addSessions(user, 2);
    const client = { ip: "2001:db8::1", userAgent: "Test Browser" };
    await db.execute(query`
      with gone as (
        delete from sessions where user_id = ${user.id} returning id as session_id, user_id)
      ${recordEach("gone", "session-ended", client, query`'{"why": "test"}'::jsonb`)}`);
    const [one, two, ...more] = await eventRows(user);
    expect(more).toEqual([]);
    const expected = { kind: "session-ended", ip: client.ip, user_agent: client.userAgent };
    expect(one).toMatchObject({ ...expected, detail: { why: "test" } });
    expect(one?.session_id).not.toBe(two?.session_id);
  });

  it("records nothing if the change is rolled back", async () => {
    const user = await createUser(db);
    const { session } = await createLogin(db, user);
    await addSessions(user, 2);
    const rolledBack = db.transaction(async (tx) => {
      await invalidateOtherSessions(tx, session);
      tx.rollback();
    });
    await expect(rolledBack).rejects.toThrow();
    expect(await sessionRows(user)).toHaveLength(3);
    expect(await eventKinds(user)).toEqual(["logged-in"]);
  });

  it("rolls the change back if the event cannot be written", async () => {
    const user = await createUser(db);
    const { session } = await createLogin(db, user);
    await addSessions(user, 2);
    const from = { ...session, client: { ip: "not an address", userAgent: null } };
    await expect(invalidateOtherSessions(db, from)).rejects.toThrow();
    expect(await sessionRows(user)).toHaveLength(3);
  });

  it("keeps events of a deleted account, without the user's id", async () => {
    const user = await createUser(db);
    const { session } = await createLogin(db, user);
    await sql`delete from users where id = ${user.id}`;
    const rows = await sql`select user_id from audit_events where session_id = ${session.id}`;
    expect(rows.map(({ user_id }) => user_id)).toEqual([null]);
  });

  it("stores neither IP address nor User-Agent of an unknown client", async () => {
    const user = await createUser(db);
    await createLogin(db, user);
    expect((await eventRows(user))[0]).toMatchObject({ ip: null, user_agent: null });
    expect(unknownClient).toEqual({ ip: null, userAgent: null });
  });
});

describe("recordFailure", () => {
  const from = (n: number) => ({ ip: `203.0.113.${n}`, userAgent: `Browser ${n}` });
  const lock = (id: string) => (tx: Db) =>
    tx.execute(query`select from users where id = ${id} for update`);

  it("counts an hour's failures in one row, with the client of the latest", async () => {
    const { id, email } = await createUser(db);
    for (let n = 1; n <= 3; n++) await recordFailure(db, "log-in-failed", { email }, from(n));
    const [row, ...more] = await eventRows({ id });
    expect(more).toEqual([]);
    expect(row).toMatchObject({ kind: "log-in-failed", detail: { count: 3 } });
    expect(row).toMatchObject({ ip: "203.0.113.3", user_agent: "Browser 3" });
    const [event] = await listEvents(db, id, { limit: 1 });
    expect(event).toMatchObject({ count: 3, ip: "203.0.113.3", byAdmin: false });
  });

  it("makes a separate row for each account, kind and hour", async () => {
    const [user, other] = [await createUser(db), await createUser(db)];
    const { session } = await createLogin(db, user);
    const confirming = { userId: user.id, sessionId: session.id };
    await recordFailure(db, "log-in-failed", user, from(1));
    await sql`update audit_events set at = at - interval '1 hour' where user_id = ${user.id}`;
    await recordFailure(db, "log-in-failed", user, from(2));
    await recordFailure(db, "confirmation-failed", confirming, from(3));
    await recordFailure(db, "log-in-failed", other, from(4));
    const rows = await eventRows(user);
    expect(rows.map(({ kind, detail }) => [kind, detail.count])).toEqual([
      ["logged-in", undefined],
      ["log-in-failed", 1],
      ["log-in-failed", 1],
      ["confirmation-failed", 1],
    ]);
    expect(rows.at(-1)?.session_id).toBe(session.id);
    expect(await eventKinds(other)).toEqual(["log-in-failed"]);
  });

  it("writes nothing for an email without an account", async () => {
    const before = await sql`select id from audit_events order by id`;
    await recordFailure(db, "log-in-failed", { email: "unknown@example.com" }, from(1));
    expect(await sql`select id from audit_events order by id`).toEqual(before);
  });

  it("counts all of thirty concurrent failures", async () => {
    const { id, email } = await createUser(db);
    await collide(30, lock(id), (db) => recordFailure(db, "log-in-failed", { email }, from(1)));
    expect(await eventRows({ id })).toMatchObject([{ detail: { count: 30 } }]);
  });

  it("does not deadlock with the deletion of the account, and restores no row", async () => {
    const user = await createUser(db);
    const { session } = await createLogin(db, user);
    await recordFailure(db, "log-in-failed", user, from(1));
    await collide(
      30,
      lock(user.id),
      (db, n): Promise<unknown> =>
        n === 15 ? deleteAccount(db, session) : recordFailure(db, "log-in-failed", user, from(2)),
    );
    expect(await sql`select from users where id = ${user.id}`).toHaveLength(0);
    expect(await eventRows(user)).toEqual([]);
  });
});

/** Creates two users and an admin who suspended the first from an IP address of their own. */
async function aSuspension() {
  const [user, other] = [await createUser(db), await createUser(db)];
  const admin = await createUser(db, { role: "admin" });
  for (const each of [user, other, admin]) await createLogin(db, each, { ip: "192.0.2.1" });
  const { session } = await createLogin(db, admin);
  const client = { ip: "203.0.113.50", userAgent: "Admin's Browser" };
  await suspend(db, { ...session, client }, user.id, "Spam.");
  return { user, other, admin };
}

describe("listEvents", () => {
  it("shows a user that an administrator acted, without who, why and from where", async () => {
    const { user } = await aSuspension();
    const [suspended, loggedIn] = await listEvents(db, user.id, { limit: 10 });
    expect(suspended).toMatchObject({
      kind: "suspended",
      byAdmin: true,
      ip: null,
      userAgent: null,
    });
    expect(JSON.stringify(suspended)).not.toMatch(/Spam|Admin's/);
    expect(loggedIn).toMatchObject({ kind: "logged-in", byAdmin: false, ip: "192.0.2.1" });
  });

  it("still hides the administrator after their account is deleted", async () => {
    const { user, admin } = await aSuspension();
    await sql`delete from users where id = ${admin.id}`;
    const [suspended] = await listEvents(db, user.id, { limit: 10 });
    expect(suspended).toMatchObject({ byAdmin: true, ip: null, userAgent: null });
  });
});

describe("listAllEvents", () => {
  const kinds = async (page: Partial<Parameters<typeof listAllEvents>[1]>) =>
    (await listAllEvents(db, { limit: 100, ...page })).map(({ kind }) => kind);

  it("lists all users' events, newest first, with account and actor", async () => {
    const { user, admin } = await aSuspension();
    const [newest] = await listAllEvents(db, { limit: 1 });
    expect(newest).toMatchObject({
      ...{ kind: "suspended", ip: "203.0.113.50", detail: { reason: "Spam." } },
      ...{ user: { id: user.id, email: user.email }, actor: { id: admin.id } },
    });
  });

  it("filters by user: events about the user and events they caused", async () => {
    const { user, other, admin } = await aSuspension();
    expect(await kinds({ userId: user.id })).toEqual(["suspended", "logged-in"]);
    expect(await kinds({ userId: other.id })).toEqual(["logged-in"]);
    expect(await kinds({ userId: admin.id })).toEqual(["suspended", "logged-in", "logged-in"]);
    expect(await kinds({ userId: admin.id, kind: "suspended" })).toEqual(["suspended"]);
  });

  it("continues after the last event of a page", async () => {
    const { admin } = await aSuspension();
    const all = await listAllEvents(db, { userId: admin.id, limit: 10 });
    const [first] = await listAllEvents(db, { userId: admin.id, limit: 1 });
    const rest = await listAllEvents(db, { userId: admin.id, before: first?.id, limit: 10 });
    expect([first, ...rest]).toEqual(all);
    expect(await kinds({ before: 1 })).toEqual([]);
  });

  it("names no user after the account was deleted", async () => {
    const { user, admin } = await aSuspension();
    await sql`delete from users where id in ${sql([user.id, admin.id])}`;
    const [event] = await listAllEvents(db, { kind: "suspended", limit: 1 });
    expect(event).toMatchObject({ user: null, actor: null });
  });
});
