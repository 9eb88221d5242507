import * as argon2 from "@node-rs/argon2";
import { describe, expect, it, vi } from "vitest";
import { unknownClient } from "@/lib/audit";
import { logIn } from "@/lib/auth/login/log-in";
import { listSessions } from "@/lib/auth/sessions/list";
import { getSession } from "@/lib/auth/sessions/lookup";
import { db, sql } from "@/tests/support/database";
import { createLogin, createPerson, password } from "@/tests/support/people";
import { eventKinds, sessionRows, wholeDatabase } from "@/tests/support/rows";

// Spied upon, not replaced: every check is real, and counted.
vi.mock("@node-rs/argon2", { spy: true });

type Attempt = Parameters<typeof logIn>[1];

function attempt(email: string, given: Partial<Attempt> = {}): Attempt {
  return {
    ...{ email, password, persistent: true, presented: null },
    ...{ knownDevice: true, client: unknownClient, ...given },
  };
}

describe("logIn", () => {
  it("gives a token to whoever knows the password", async () => {
    const person = await createPerson(db);
    const answer = await logIn(db, attempt(person.email));
    if (!answer.ok) throw new Error(answer.reason);
    const session = await getSession(db, answer.token);
    expect(session).toMatchObject({ userId: person.id, persistent: true });
    expect(session && (await listSessions(db, session))[0]?.amr).toEqual(["pwd"]);
    expect(await eventKinds(person)).toEqual(["logged-in"]);
    expect(await wholeDatabase()).not.toContain(answer.token);
  });

  it("remembers whether the device is to be remembered", async () => {
    const person = await createPerson(db);
    const answer = await logIn(db, attempt(person.email, { persistent: false }));
    expect(answer.ok && (await getSession(db, answer.token))?.persistent).toBe(false);
  });

  it("refuses a wrong password, and the rows stand", async () => {
    const person = await createPerson(db);
    const presented = await createLogin(db, person);
    const wrong = attempt(person.email, { password: "wrong", presented: presented.token });
    expect(await logIn(db, wrong)).toEqual({ ok: false, reason: "incorrect" });
    expect(await sessionRows(person)).toHaveLength(1);
    expect(await getSession(db, presented.token)).not.toBeNull();
    expect(await eventKinds(person)).toEqual(["logged-in"]);
  });

  it("answers the same to an address without an account, after the same work", async () => {
    const person = await createPerson(db);
    const checks = vi.mocked(argon2.verify).mock.calls;
    const before = checks.length;
    const known = await logIn(db, attempt(person.email, { password: "wrong" }));
    const between = checks.length;
    const unknown = await logIn(db, attempt("nobody@example.com", { password: "wrong" }));
    expect(unknown).toEqual(known);
    expect([between - before, checks.length - between]).toEqual([1, 1]);
  });

  it("tells a suspended user so, and logs nobody in", async () => {
    const person = await createPerson(db);
    await sql`update users set status = 'suspended' where id = ${person.id}`;
    expect(await logIn(db, attempt(person.email))).toEqual({ ok: false, reason: "suspended" });
    expect(await sessionRows(person)).toEqual([]);
    expect(await eventKinds(person)).toEqual([]);
  });

  it("does not tell who is suspended to those who do not know the password", async () => {
    const person = await createPerson(db);
    await sql`update users set status = 'suspended' where id = ${person.id}`;
    const answer = await logIn(db, attempt(person.email, { password: "wrong" }));
    expect(answer).toEqual({ ok: false, reason: "incorrect" });
  });

  it("ends the session that the browser came with", async () => {
    const [attacker, victim] = [await createPerson(db), await createPerson(db)];
    const planted = await createLogin(db, attacker);
    const answer = await logIn(db, attempt(victim.email, { presented: planted.token }));
    expect(answer.ok && answer.token).not.toBe(planted.token);
    expect(await getSession(db, planted.token)).toBeNull();
    expect(await sessionRows(attacker)).toEqual([]);
  });
});
