import { describe, expect, it } from "vitest";
import { removePassword, setPassword } from "@/lib/auth/account/password-presence";
import { createLink } from "@/lib/auth/links";
import { confirmSession } from "@/lib/auth/login/confirm";
import { logIn } from "@/lib/auth/login/log-in";
import { getSession } from "@/lib/auth/sessions/lookup";
import { db, sql } from "@/tests/support/database";
import { addSoftPasskey, site } from "@/tests/support/passkeys";
import { collide } from "@/tests/support/races";
import { eventKinds, linkPurposes, mailKinds } from "@/tests/support/rows";
import {
  createLogin,
  createUser,
  newPassword,
  opensWith,
  password,
  type TestUser,
} from "@/tests/support/users";

const strong = { amr: ["passkey"] };

async function createUserWithout(): Promise<TestUser> {
  const user = await createUser(db);
  await sql`delete from passwords where user_id = ${user.id}`;
  await addSoftPasskey(db, user);
  return user;
}

describe("setPassword", () => {
  it("gives an account its first password, and the session a new token", async () => {
    const user = await createUserWithout();
    const [here, there] = [
      await createLogin(db, user, strong),
      await createLogin(db, user, strong),
    ];
    const set = await setPassword(db, here.session, { presented: here.token, next: newPassword });
    expect(set.ok && (await getSession(db, set.token))?.id).toBe(here.session.id);
    expect(await getSession(db, here.token)).toBeNull();
    expect(await getSession(db, there.token)).not.toBeNull();
    expect(await opensWith(db, user, newPassword)).toBe(true);
    expect(await eventKinds(user)).toContain("password-set");
    expect(await mailKinds(user)).toEqual(["password-presence"]);
  });

  it("refuses a weak password, and an account that has one", async () => {
    const user = await createUserWithout();
    const { session, token } = await createLogin(db, user, strong);
    const weak = await setPassword(db, session, { presented: token, next: "short" });
    expect(weak).toEqual({ ok: false, reason: "password", fault: "too-short" });
    const another = await createLogin(db, await createUser(db));
    const given = { presented: another.token, next: newPassword };
    const refused = await setPassword(db, another.session, given);
    expect(refused).toEqual({ ok: false, reason: "exists" });
    expect(await getSession(db, another.token)).not.toBeNull();
  });

  it("refuses a session that has ended", async () => {
    const user = await createUserWithout();
    const { session, token } = await createLogin(db, user, strong);
    await sql`delete from sessions where user_id = ${user.id}`;
    const late = await setPassword(db, session, { presented: token, next: newPassword });
    expect(late).toEqual({ ok: false, reason: "ended" });
    expect(await opensWith(db, user, newPassword)).toBe(false);
  });
});

describe("removePassword", () => {
  it("ends password sessions, apps and reset links, and nothing else", async () => {
    const user = await createUser(db);
    await addSoftPasskey(db, user);
    const here = await createLogin(db, user);
    const [byPassword, byPasskey] = [
      await createLogin(db, user),
      await createLogin(db, user, strong),
    ];
    await sql`insert into sessions (user_id, kind, auth_version, amr, expires_at)
      values (${user.id}, 'app', 1, '{pwd}', now() + interval '90 days')`;
    for (const purpose of ["password-reset", "email-change"] as const)
      await createLink(db, { userId: user.id, purpose, sentTo: user.email });

    const removed = await removePassword(db, here.session, here.token, site);
    expect(removed.ok && (await getSession(db, removed.token))?.id).toBe(here.session.id);
    expect(await getSession(db, here.token)).toBeNull();
    expect(await getSession(db, byPassword.token)).toBeNull();
    expect(await getSession(db, byPasskey.token)).not.toBeNull();
    expect(await sql`select from sessions where user_id = ${user.id}`).toHaveLength(2);
    expect(await linkPurposes(user)).toEqual(["email-change"]);
    expect(await opensWith(db, user, password)).toBe(false);
    expect(await eventKinds(user)).toContain("password-removed");
    expect(await mailKinds(user)).toEqual(["password-presence"]);
  });

  it("ends a session that a passkey began and a password confirmed", async () => {
    const user = await createUser(db);
    await addSoftPasskey(db, user);
    const here = await createLogin(db, user, strong);
    const confirmed = await createLogin(db, user, strong);
    const untouched = await createLogin(db, user, strong);
    const rotated = await confirmSession(db, confirmed.session, {
      ...{ presented: confirmed.token, password },
    });
    if (!rotated.ok) throw new Error(rotated.reason);
    expect((await removePassword(db, here.session, here.token, site)).ok).toBe(true);
    expect(await getSession(db, rotated.token)).toBeNull();
    expect(await getSession(db, untouched.token)).not.toBeNull();
    expect(await sql`select from passkeys where user_id = ${user.id}`).toHaveLength(1);
  });

  it("refuses the only way to log in, and an account without a password", async () => {
    const user = await createUser(db);
    const { session, token } = await createLogin(db, user);
    const only = await removePassword(db, session, token, site);
    expect(only).toEqual({ ok: false, reason: "only-way" });
    await addSoftPasskey(db, user, { ...site, rpId: "former.example" });
    expect(await removePassword(db, session, token, site)).toEqual(only);
    expect(await opensWith(db, user, password)).toBe(true);
    const without = await createLogin(db, await createUserWithout(), strong);
    const none = await removePassword(db, without.session, without.token, site);
    expect(none).toEqual({ ok: false, reason: "none" });
  });

  it("refuses a login by password in progress", async () => {
    const user = await createUser(db);
    await addSoftPasskey(db, user);
    const { session, token } = await createLogin(db, user, strong);
    const [login] = await collide<unknown>(
      1,
      (tx) => removePassword(tx, session, token, site),
      (database) =>
        logIn(database, {
          ...{ email: user.email, password, persistent: true, presented: null },
          ...{ knownBrowser: true, client: { ip: null, userAgent: null } },
        }),
    );
    expect(login).toEqual({ ok: false, reason: "incorrect" });
  });
});
