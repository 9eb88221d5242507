import * as argon2 from "@node-rs/argon2";
import { describe, expect, it, vi } from "vitest";
import { unknownClient } from "@/lib/audit";
import { logIn } from "@/lib/auth/login/log-in";
import { listSessions } from "@/lib/auth/sessions/list";
import { getSession } from "@/lib/auth/sessions/lookup";
import { db, sql } from "@/tests/support/database";
import { eventKinds, sessionRows, wholeDatabase } from "@/tests/support/rows";
import { createLogin, createUser, password } from "@/tests/support/users";

// Spied on, not replaced: every check is real, and counted.
vi.mock("@node-rs/argon2", { spy: true });

type Attempt = Parameters<typeof logIn>[1];

function attempt(email: string, given: Partial<Attempt> = {}): Attempt {
  return {
    ...{ email, password, persistent: true, presented: null },
    ...{ knownBrowser: true, client: unknownClient, ...given },
  };
}

describe("logIn", () => {
  it("returns a session token for the right password", async () => {
    const user = await createUser(db);
    const answer = await logIn(db, attempt(user.email));
    if (!answer.ok) throw new Error(answer.reason);
    const session = await getSession(db, answer.token);
    expect(session).toMatchObject({ userId: user.id, persistent: true });
    expect(session && (await listSessions(db, session))[0]?.amr).toEqual(["pwd"]);
    expect(await eventKinds(user)).toEqual(["logged-in"]);
    expect(await wholeDatabase()).not.toContain(answer.token);
  });

  it("makes the session persistent only if requested", async () => {
    const user = await createUser(db);
    const answer = await logIn(db, attempt(user.email, { persistent: false }));
    expect(answer.ok && (await getSession(db, answer.token))?.persistent).toBe(false);
  });

  it("refuses a wrong password, and changes no row", async () => {
    const user = await createUser(db);
    const presented = await createLogin(db, user);
    const wrong = attempt(user.email, { password: "wrong", presented: presented.token });
    expect(await logIn(db, wrong)).toEqual({ ok: false, reason: "incorrect" });
    expect(await sessionRows(user)).toHaveLength(1);
    expect(await getSession(db, presented.token)).not.toBeNull();
    expect(await eventKinds(user)).toEqual(["logged-in"]);
  });

  it("gives the same answer for an email without an account, after the same work", async () => {
    const user = await createUser(db);
    const checks = vi.mocked(argon2.verify).mock.calls;
    const before = checks.length;
    const known = await logIn(db, attempt(user.email, { password: "wrong" }));
    const between = checks.length;
    const unknown = await logIn(db, attempt("unknown@example.com", { password: "wrong" }));
    expect(unknown).toEqual(known);
    expect([between - before, checks.length - between]).toEqual([1, 1]);
  });

  it("reports that the user is suspended, and creates no session", async () => {
    const user = await createUser(db);
    await sql`update users set status = 'suspended' where id = ${user.id}`;
    expect(await logIn(db, attempt(user.email))).toEqual({ ok: false, reason: "suspended" });
    expect(await sessionRows(user)).toEqual([]);
    expect(await eventKinds(user)).toEqual([]);
  });

  it("does not reveal a suspension without the right password", async () => {
    const user = await createUser(db);
    await sql`update users set status = 'suspended' where id = ${user.id}`;
    const answer = await logIn(db, attempt(user.email, { password: "wrong" }));
    expect(answer).toEqual({ ok: false, reason: "incorrect" });
  });

  it("ends the session that the browser presents", async () => {
    const [attacker, victim] = [await createUser(db), await createUser(db)];
    const planted = await createLogin(db, attacker);
    const answer = await logIn(db, attempt(victim.email, { presented: planted.token }));
    expect(answer.ok && answer.token).not.toBe(planted.token);
    expect(await getSession(db, planted.token)).toBeNull();
    expect(await sessionRows(attacker)).toEqual([]);
  });
});
