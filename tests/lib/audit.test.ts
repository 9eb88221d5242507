import { sql as query } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { recordEach, unknownClient } from "@/lib/audit";
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
