import { sql as query } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { listAllEvents, listEvents, recordEach, unknownClient } from "@/lib/audit";
import { suspend } from "@/lib/auth/administration";
import { invalidateOtherSessions } from "@/lib/auth/sessions";
import { db, sql } from "@/tests/support/database";
import { createLogin, createPerson } from "@/tests/support/people";
import { addSessions, eventKinds, eventRows, sessionRows } from "@/tests/support/rows";

describe("recordEach", () => {
  it("leaves an event for each row of its change, from where the request came", async () => {
    const person = await createPerson(db);
    await addSessions(person, 2);
    const client = { ip: "2001:db8::1", userAgent: "Test Browser" };
    await db.execute(query`
      with gone as (
        delete from sessions where user_id = ${person.id} returning id as session_id, user_id)
      ${recordEach("gone", "session-ended", client, query`'{"why": "test"}'::jsonb`)}`);
    const [one, two, ...more] = await eventRows(person);
    expect(more).toEqual([]);
    const expected = { kind: "session-ended", ip: client.ip, user_agent: client.userAgent };
    expect(one).toMatchObject({ ...expected, detail: { why: "test" } });
    expect(one?.session_id).not.toBe(two?.session_id);
  });

  it("stands and falls with its change", async () => {
    const person = await createPerson(db);
    const { session } = await createLogin(db, person);
    await addSessions(person, 2);
    const rolledBack = db.transaction(async (tx) => {
      await invalidateOtherSessions(tx, session);
      tx.rollback();
    });
    await expect(rolledBack).rejects.toThrow();
    expect(await sessionRows(person)).toHaveLength(3);
    expect(await eventKinds(person)).toEqual(["logged-in"]);
  });

  it("takes its change down with it, where the event cannot be written", async () => {
    const person = await createPerson(db);
    const { session } = await createLogin(db, person);
    await addSessions(person, 2);
    const from = { ...session, client: { ip: "not an address", userAgent: null } };
    await expect(invalidateOtherSessions(db, from)).rejects.toThrow();
    expect(await sessionRows(person)).toHaveLength(3);
  });

  it("outlives the account, without naming it", async () => {
    const person = await createPerson(db);
    const { session } = await createLogin(db, person);
    await sql`delete from users where id = ${person.id}`;
    const rows = await sql`select user_id from audit_events where session_id = ${session.id}`;
    expect(rows.map(({ user_id }) => user_id)).toEqual([null]);
  });

  it("knows of nobody where nobody said where the request came from", async () => {
    const person = await createPerson(db);
    await createLogin(db, person);
    expect((await eventRows(person))[0]).toMatchObject({ ip: null, user_agent: null });
    expect(unknownClient).toEqual({ ip: null, userAgent: null });
  });
});

/** Two users and an admin, who suspended the first of them from a place of their own. */
async function aSuspension() {
  const [person, other] = [await createPerson(db), await createPerson(db)];
  const admin = await createPerson(db, { role: "admin" });
  for (const each of [person, other, admin]) await createLogin(db, each, { ip: "192.0.2.1" });
  const { session } = await createLogin(db, admin);
  const client = { ip: "203.0.113.50", userAgent: "Admin's Browser" };
  await suspend(db, { ...session, client }, person.id, "Spam.");
  return { person, other, admin };
}

describe("listEvents", () => {
  it("tells a user that somebody else acted, and neither who, why nor from where", async () => {
    const { person } = await aSuspension();
    const [suspended, loggedIn] = await listEvents(db, person.id, { limit: 10 });
    expect(suspended).toMatchObject({
      kind: "suspended",
      byOther: true,
      ip: null,
      userAgent: null,
    });
    expect(JSON.stringify(suspended)).not.toMatch(/Spam|Admin's/);
    expect(loggedIn).toMatchObject({ kind: "logged-in", byOther: false, ip: "192.0.2.1" });
  });

  it("does so still when the one who acted is gone", async () => {
    const { person, admin } = await aSuspension();
    await sql`delete from users where id = ${admin.id}`;
    const [suspended] = await listEvents(db, person.id, { limit: 10 });
    expect(suspended).toMatchObject({ byOther: true, ip: null, userAgent: null });
  });
});

describe("listAllEvents", () => {
  const kinds = async (page: Partial<Parameters<typeof listAllEvents>[1]>) =>
    (await listAllEvents(db, { limit: 100, ...page })).map(({ kind }) => kind);

  it("is everybody's, newest first, with whose account and who acted", async () => {
    const { person, admin } = await aSuspension();
    const [newest] = await listAllEvents(db, { limit: 1 });
    expect(newest).toMatchObject({
      ...{ kind: "suspended", ip: "203.0.113.50", detail: { reason: "Spam." } },
      ...{ user: { id: person.id, email: person.email }, actor: { id: admin.id } },
    });
  });

  it("is of one user: what was done to them, and what they did", async () => {
    const { person, other, admin } = await aSuspension();
    expect(await kinds({ userId: person.id })).toEqual(["suspended", "logged-in"]);
    expect(await kinds({ userId: other.id })).toEqual(["logged-in"]);
    expect(await kinds({ userId: admin.id })).toEqual(["suspended", "logged-in", "logged-in"]);
    expect(await kinds({ userId: admin.id, kind: "suspended" })).toEqual(["suspended"]);
  });

  it("goes on where a page ended", async () => {
    const { admin } = await aSuspension();
    const all = await listAllEvents(db, { userId: admin.id, limit: 10 });
    const [first] = await listAllEvents(db, { userId: admin.id, limit: 1 });
    const rest = await listAllEvents(db, { userId: admin.id, before: first?.id, limit: 10 });
    expect([first, ...rest]).toEqual(all);
    expect(await kinds({ before: 1 })).toEqual([]);
  });

  it("names nobody where the account is gone", async () => {
    const { person, admin } = await aSuspension();
    await sql`delete from users where id in ${sql([person.id, admin.id])}`;
    const [event] = await listAllEvents(db, { kind: "suspended", limit: 1 });
    expect(event).toMatchObject({ user: null, actor: null });
  });
});
