import { describe, expect, it } from "vitest";
import { changePassword } from "@/lib/auth/account/password-change";
import { hashPassword } from "@/lib/auth/credentials/passwords";
import { confirmSession } from "@/lib/auth/login/confirm";
import { invalidateSession } from "@/lib/auth/sessions/end";
import { getSession } from "@/lib/auth/sessions/lookup";
import type { Db } from "@/lib/db/client";
import { db, sql } from "@/tests/support/database";
import { collide } from "@/tests/support/races";
import { eventKinds, sessionRows } from "@/tests/support/rows";
import { createLogin, createUser, newPassword, password } from "@/tests/support/users";

const incorrect = { ok: false, reason: "incorrect" };
const overtaken = { ok: false, reason: "overtaken" };

/** Creates a session whose last proof is a day old. */
async function createStale() {
  const user = await createUser(db);
  const login = await createLogin(db, user);
  await sql`
    update sessions set authenticated_at = now() - interval '1 day' where id = ${login.session.id}`;
  const session = await getSession(db, login.token);
  if (!session) throw new Error("A day-old session lives.");
  return { user, token: login.token, session };
}

describe("confirmSession", () => {
  it("gives the same session sudo and a new token, and ends the old token", async () => {
    const { user, token, session } = await createStale();
    expect(session.sudo).toBe("expired");
    const answer = await confirmSession(db, session, { presented: token, password });
    const confirmed = answer.ok ? await getSession(db, answer.token) : null;
    expect(confirmed).toMatchObject({ id: session.id, sudo: "full" });
    expect(await getSession(db, token)).toBeNull();
    expect(await eventKinds(user)).toEqual(["logged-in", "session-rotated"]);
  });

  it("refuses a wrong password, and does not change the row", async () => {
    const { user, token, session } = await createStale();
    const before = await sessionRows(user);
    for (const wrong of ["", `${password} `, "x".repeat(2000)])
      expect(await confirmSession(db, session, { presented: token, password: wrong })).toEqual(
        incorrect,
      );
    expect(await sessionRows(user)).toEqual(before);
    expect((await getSession(db, token))?.sudo).toBe("expired");
  });

  it("refuses another user's password, and an email that is another user's", async () => {
    const [{ token, session }, other] = [await createStale(), await createUser(db)];
    await sql`
      update passwords set hash = ${await hashPassword(newPassword)} where user_id = ${other.id}`;
    const typed = { presented: token, password: newPassword };
    expect(await confirmSession(db, session, typed)).toEqual(incorrect);
    const asOther = { ...session, user: { ...session.user, email: other.email } };
    expect(await confirmSession(db, asOther, typed)).toEqual(incorrect);
    expect((await getSession(db, token))?.sudo).toBe("expired");
  });

  it("leaves the user's other sessions without sudo", async () => {
    const { user, token, session } = await createStale();
    const other = await createLogin(db, user);
    await sql`
      update sessions set authenticated_at = now() - interval '1 day'
      where id = ${other.session.id}`;
    await confirmSession(db, session, { presented: token, password });
    expect((await getSession(db, other.token))?.sudo).toBe("expired");
  });

  it("refuses a session that has ended, and revives none", async () => {
    const { user, token, session } = await createStale();
    await invalidateSession(db, session, session.id);
    expect(await confirmSession(db, session, { presented: token, password })).toEqual(overtaken);
    expect(await sessionRows(user)).toEqual([]);
  });

  it("refuses a user who was suspended meanwhile", async () => {
    const { user, token, session } = await createStale();
    await sql`update users set status = 'suspended' where id = ${user.id}`;
    expect(await confirmSession(db, session, { presented: token, password })).toEqual(overtaken);
  });

  it("refuses the old password once it is changed", async () => {
    const { user, token, session } = await createStale();
    const owner = await createLogin(db, user);
    await changePassword(db, owner.session, {
      ...{ presented: owner.token, current: password, next: newPassword },
    });
    expect(await confirmSession(db, session, { presented: token, password })).toEqual(incorrect);
  });

  // Seen to fail with a rotation whose `where` has the id in place of the old hash: all thirty win,
  // and twenty-nine browsers are left with a dead token.
  it("succeeds once of thirty concurrent calls, and refuses the others", async () => {
    const { token, session } = await createStale();
    const lock = (tx: Db) =>
      tx.execute(`select from sessions where id = '${session.id}' for update`);
    const answers = await collide(30, lock, (db) =>
      confirmSession(db, session, { presented: token, password }),
    );
    const won = answers.filter((answer) => answer.ok);
    expect(won).toHaveLength(1);
    expect(answers.filter((answer) => !answer.ok)).toEqual(Array(29).fill(overtaken));
    for (const { token } of won) expect(await getSession(db, token)).not.toBeNull();
  });
});
