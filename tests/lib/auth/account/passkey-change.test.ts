import { sql as query } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { unknownClient } from "@/lib/audit";
import { redeemDisownLink } from "@/lib/auth/account/disowned-login";
import { redeemEmailRestore } from "@/lib/auth/account/email-change";
import { addingPasskey, addPasskey, removePasskey } from "@/lib/auth/account/passkey-change";
import { redeemPasswordReset } from "@/lib/auth/account/password-change";
import { removePassword } from "@/lib/auth/account/password-presence";
import { startTwoFactor, turnOffTwoFactor } from "@/lib/auth/account/two-factor-change";
import { listPasskeys, renamePasskey } from "@/lib/auth/credentials/passkeys";
import { isTwoFactorOn } from "@/lib/auth/credentials/two-factor";
import { createLink } from "@/lib/auth/links";
import { passkeyPolicy } from "@/lib/auth/policy";
import { invalidateSession } from "@/lib/auth/sessions/end";
import { getSession, type Session } from "@/lib/auth/sessions/lookup";
import type { Db } from "@/lib/db/client";
import { db, racingConnections, sql } from "@/tests/support/database";
import { addSoftPasskey, type SoftPasskey, site, softPasskey } from "@/tests/support/passkeys";
import { collide, times } from "@/tests/support/races";
import { eventKinds, mailKinds, passwordHash } from "@/tests/support/rows";
import { addTwoFactor, keys } from "@/tests/support/two-factor";
import { createLogin, createUser, newPassword } from "@/tests/support/users";

const strong = { amr: ["passkey"] };
const passkeysOf = (user: { id: string }) => listPasskeys(db, { userId: user.id });
const onLock = (user: { id: string }) => (tx: Db) =>
  tx.execute(query`select from users where id = ${user.id} for update`);

function add(
  to: { session: Session; token: string },
  passkey: SoftPasskey = softPasskey(),
  database: Db = db,
) {
  const answer = passkey.made(addingPasskey(to.session));
  return addPasskey(database, to.session, { presented: to.token, answer, site });
}

describe("addPasskey", () => {
  it("adds a passkey and gives the session a new token, without making it strong", async () => {
    const user = await createUser(db);
    const [here, there] = [await createLogin(db, user), await createLogin(db, user)];
    const added = await add(here);
    const session = added.ok ? await getSession(db, added.token) : null;
    expect(session).toMatchObject({ id: here.session.id, strong: false });
    expect(await getSession(db, here.token)).toBeNull();
    expect(await getSession(db, there.token)).not.toBeNull();
    expect(await passkeysOf(user)).toMatchObject([{ name: "Passkey", backedUp: true }]);
    expect(await eventKinds(user)).toContain("passkey-added");
    expect(await mailKinds(user)).toEqual(["passkey-changed"]);
  });

  it("names the passkey after its provider", async () => {
    const user = await createUser(db);
    const { session, token } = await createLogin(db, user);
    const aaguid = "bada5566-a7aa-401f-bd96-45619a55120d";
    const answer = softPasskey().made(addingPasskey(session), { aaguid });
    await addPasskey(db, session, { presented: token, answer, site });
    expect(await passkeysOf(user)).toMatchObject([{ name: "1Password", provider: "1Password" }]);
  });

  it("refuses the challenge of another session or user, and one that was used", async () => {
    const [user, other] = [await createUser(db), await createUser(db)];
    const here = await createLogin(db, user);
    const there = [await createLogin(db, user), await createLogin(db, other)];
    const incorrect = { ok: false, reason: "incorrect" };
    for (const { session } of there) {
      const answer = softPasskey().made(addingPasskey(session));
      expect(await addPasskey(db, here.session, { presented: here.token, answer, site })).toEqual(
        incorrect,
      );
    }
    const answer = softPasskey().made(addingPasskey(here.session));
    const added = await addPasskey(db, here.session, { presented: here.token, answer, site });
    if (!added.ok) throw new Error(added.reason);
    await sql`delete from passkeys where user_id = ${user.id}`;
    const again = { presented: added.token, answer, site };
    expect(await addPasskey(db, here.session, again)).toEqual(incorrect);
    expect(await passkeysOf(user)).toEqual([]);
  });

  it("refuses a session that has ended, or has another token", async () => {
    const user = await createUser(db);
    const { session, token } = await createLogin(db, user);
    const ended = { ok: false, reason: "ended" };
    expect(await add({ session, token: "x".repeat(43) })).toEqual(ended);
    await sql`update users set auth_version = 2 where id = ${user.id}`;
    expect(await add({ session, token })).toEqual(ended);
    expect(await passkeysOf(user)).toEqual([]);
  });

  it("refuses a session that is logged out while it waits for its user", async () => {
    const user = await createUser(db);
    const [here, there] = [await createLogin(db, user), await createLogin(db, user)];
    const [added] = await collide(
      1,
      async (tx) => {
        await onLock(user)(tx);
        await invalidateSession(tx, there.session, here.session.id);
      },
      (database) => add(here, softPasskey(), database),
    );
    expect(added).toEqual({ ok: false, reason: "ended" });
    expect(await passkeysOf(user)).toEqual([]);
  });

  // Proves that the test above can fail: joins the session in the statement that takes the lock.
  it("would accept it if the statement that locks the user checked the session", async () => {
    const user = await createUser(db);
    const [here, there] = [await createLogin(db, user), await createLogin(db, user)];
    const [found] = await collide(
      1,
      async (tx) => {
        await onLock(user)(tx);
        await invalidateSession(tx, there.session, here.session.id);
      },
      (database) =>
        database.execute(query`
          select from users join sessions on sessions.user_id = users.id
          where sessions.id = ${here.session.id} for no key update of users`),
    );
    expect(found).toHaveLength(1);
    expect(await getSession(db, here.token)).toBeNull();
  });

  it("refuses a passkey that this or another account has", async () => {
    const [user, other] = [await createUser(db), await createUser(db)];
    const passkey = await addSoftPasskey(db, other);
    for (const owner of [user, other])
      expect(await add(await createLogin(db, owner, strong), passkey)).toEqual({
        ...{ ok: false, reason: "taken" },
      });
  });

  it("stops at the cap", async () => {
    const user = await createUser(db);
    for (const _ of times(passkeyPolicy.passkeysPerUser, () => 0)) await addSoftPasskey(db, user);
    const full = { ok: false, reason: "too-many" };
    expect(await add(await createLogin(db, user, strong))).toEqual(full);
  });

  it("adds one passkey to one of 30 accounts that ask at once", async () => {
    const passkey = softPasskey();
    const logins = await Promise.all(times(30, async () => createLogin(db, await createUser(db))));
    const racing = racingConnections(30);
    const results = await Promise.all(logins.map((each) => add(each, passkey, racing.db)));
    await racing.sql.end();
    expect(results.filter(({ ok }) => ok)).toHaveLength(1);
    expect(results.filter((each) => !each.ok && each.reason === "taken")).toHaveLength(29);
  });

  // Proves that the test above can fail: looks for the passkey first, and adds it later.
  it("would add it to several if it checked before inserting", async () => {
    const credential = query`sha256('the passkey of several')`;
    const free = await collide(
      2,
      (tx) => tx.execute(query`lock table passkeys in share row exclusive mode`),
      (database) =>
        database.transaction(async (tx) => {
          const found = await tx.execute(query`
            select from passkeys where credential_id = ${credential}`);
          await tx.execute(query`lock table passkeys in row exclusive mode`); // as an insert does
          return found.length === 0;
        }),
    );
    expect(free).toEqual([true, true]);
  });
});

describe("an account with a strong way to log in", () => {
  it("gets no second one from a session that proved only a password", async () => {
    const [withPasskey, withTwoFactor] = [await createUser(db), await createUser(db)];
    const logins = [await createLogin(db, withPasskey), await createLogin(db, withTwoFactor)];
    await addSoftPasskey(db, withPasskey);
    await addTwoFactor(db, withTwoFactor);
    const weak = { ok: false, reason: "weak" };
    for (const login of logins) expect(await add(login)).toEqual(weak);
    expect(
      await startTwoFactor(db, (logins[0] as { session: Session }).session, keys, site),
    ).toEqual(weak);
  });

  it("does not count a passkey of another domain", async () => {
    const user = await createUser(db);
    await addSoftPasskey(db, user, { ...site, rpId: "former.example" });
    expect((await add(await createLogin(db, user))).ok).toBe(true);
  });

  it("gets only one from two weak sessions at once", async () => {
    const user = await createUser(db);
    const logins = [await createLogin(db, user), await createLogin(db, user)];
    const results = await collide(2, onLock(user), (database, index) =>
      add(logins[index] as (typeof logins)[0], softPasskey(), database),
    );
    expect(results.map(({ ok }) => ok).sort()).toEqual([false, true]);
    expect(await passkeysOf(user)).toHaveLength(1);
  });

  // Proves that the test above can fail: checks strength in the statement that takes the lock.
  it("would get two if the statement that locks the user checked the strength", async () => {
    const user = await createUser(db);
    await collide(2, onLock(user), (database, index) =>
      database.execute(query`
        with acting as (
          select id from users where id = ${user.id}
            and not exists (select from passkeys where user_id = users.id)
          for no key update)
        insert into passkeys (user_id, credential_id, rp_id, public_key, sign_count, transports,
          aaguid, backup_eligible, backed_up, name)
        select id, sha256(${`${user.id} ${index}`}::text::bytea), 'app.example.com', '', 0, '{}',
          gen_random_uuid(), true, true, 'Naive' from acting`),
    );
    expect(await passkeysOf(user)).toHaveLength(2);
  });
});

describe("renamePasskey", () => {
  it("renames a passkey of the user, and none of another user", async () => {
    const [user, other] = [await createUser(db), await createUser(db)];
    const { id } = await addSoftPasskey(db, user);
    expect(await renamePasskey(db, { userId: other.id }, id, "Mine")).toBe(false);
    expect(await renamePasskey(db, { userId: user.id }, id, "Phone")).toBe(true);
    expect(await passkeysOf(user)).toMatchObject([{ name: "Phone" }]);
  });
});

describe("removePasskey", () => {
  it("ends the sessions that the passkey began, and keeps the others", async () => {
    const user = await createUser(db);
    const { id } = await addSoftPasskey(db, user);
    const [here, there] = [await createLogin(db, user), await createLogin(db, user)];
    await sql`update sessions set begun_with = ${id} where id = ${there.session.id}`;
    expect(await removePasskey(db, here.session, id, site)).toEqual({ ok: true, ended: false });
    expect(await getSession(db, here.token)).not.toBeNull();
    expect(await getSession(db, there.token)).toBeNull();
    expect(await mailKinds(user)).toEqual(["passkey-changed"]);
    expect(await eventKinds(user)).toContain("passkey-removed");
    expect(await removePasskey(db, here.session, id, site)).toEqual({ ok: false, reason: "gone" });
  });

  it("reports that it ends the acting session", async () => {
    const user = await createUser(db);
    const { id } = await addSoftPasskey(db, user);
    const { session, token } = await createLogin(db, user, strong);
    await sql`update sessions set begun_with = ${id} where id = ${session.id}`;
    expect(await removePasskey(db, session, id, site)).toEqual({ ok: true, ended: true });
    expect(await getSession(db, token)).toBeNull();
  });

  it("does not remove another user's passkey", async () => {
    const [user, other] = [await createUser(db), await createUser(db)];
    const { id } = await addSoftPasskey(db, other);
    const { session } = await createLogin(db, user);
    expect(await removePasskey(db, session, id, site)).toEqual({ ok: false, reason: "gone" });
    expect(await passkeysOf(other)).toHaveLength(1);
  });

  it("refuses the only way to log in, not counting a passkey of another domain", async () => {
    const user = await createUser(db);
    await sql`delete from passwords where user_id = ${user.id}`;
    const { id } = await addSoftPasskey(db, user);
    const former = await addSoftPasskey(db, user, { ...site, rpId: "former.example" });
    const { session } = await createLogin(db, user, strong);
    const only = { ok: false, reason: "only-way" };
    expect(await removePasskey(db, session, id, site)).toEqual(only);
    expect((await removePasskey(db, session, former.id, site)).ok).toBe(true);
    expect(await passkeysOf(user)).toMatchObject([{ id }]);
  });

  it("leaves an administrator at least one strong way, a passkey or two-factor", async () => {
    const admin = await createUser(db, { role: "admin" });
    const { id } = await addSoftPasskey(db, admin);
    const { session } = await createLogin(db, admin);
    const demanded = { ok: false, reason: "demanded" };
    expect(await removePasskey(db, session, id, site)).toEqual(demanded);
    await addTwoFactor(db, admin);
    expect((await removePasskey(db, session, id, site)).ok).toBe(true);
  });
});

describe("the last way to log in", () => {
  it("is kept, whatever is removed at the same time", async () => {
    const user = await createUser(db);
    const ids = [(await addSoftPasskey(db, user)).id, (await addSoftPasskey(db, user)).id];
    const logins = await Promise.all(times(3, () => createLogin(db, user, strong)));
    const results = await collide<{ ok: boolean }>(3, onLock(user), (database, index) => {
      const { session, token } = logins[index] as (typeof logins)[0];
      const id = ids[index];
      return id
        ? removePasskey(database, session, id, site)
        : removePassword(database, session, token, site);
    });
    expect(results.filter(({ ok }) => ok)).toHaveLength(2);
    const left = (await passkeysOf(user)).length + (await hasPasswordRow(user));
    expect(left).toBe(1);
  });

  // Proves that the test above can fail: counts in the statement that removes, without a lock.
  it("would be lost if each removal counted in the statement that waits", async () => {
    const user = await createUser(db);
    const { id } = await addSoftPasskey(db, user);
    const hash = await passwordHash(user);
    expect(hash).toContain("argon2");
    const ways = query`(select (select count(*) from passwords where user_id = ${user.id}) +
      (select count(*) from passkeys where user_id = ${user.id}) as n)`;
    await collide(2, onLock(user), (database, index) =>
      database.execute(
        index === 0
          ? query`with locked as (select id from users where id = ${user.id} for no key update),
              ways as ${ways}
            delete from passkeys using ways, locked where passkeys.id = ${id} and ways.n > 1`
          : query`with locked as (select id from users where id = ${user.id} for no key update),
              ways as ${ways}
            delete from passwords using ways, locked where user_id = locked.id and ways.n > 1`,
      ),
    );
    expect((await passkeysOf(user)).length + (await hasPasswordRow(user))).toBe(0);
  });

  it("is kept among an administrator's strong ways too", async () => {
    const admin = await createUser(db, { role: "admin" });
    const { id } = await addSoftPasskey(db, admin);
    await addTwoFactor(db, admin);
    const logins = [await createLogin(db, admin), await createLogin(db, admin)] as const;
    const results = await collide<{ ok: boolean }>(2, onLock(admin), (database, index) =>
      index === 0
        ? removePasskey(database, logins[0].session, id, site)
        : turnOffTwoFactor(database, logins[1].session, logins[1].token, site),
    );
    expect(results.filter(({ ok }) => ok)).toHaveLength(1);
    expect((await passkeysOf(admin)).length === 1).not.toBe(await isTwoFactorOn(db, admin.id));
  });

  // Proves that the test above can fail, as for the last way to log in.
  it("would be lost for an administrator if each counted in the statement that waits", async () => {
    const admin = await createUser(db, { role: "admin" });
    await addSoftPasskey(db, admin);
    await addTwoFactor(db, admin);
    const locked = query`locked as (select id from users where id = ${admin.id} for no key update)`;
    await collide(2, onLock(admin), (database, index) =>
      database.execute(
        index === 0
          ? query`with ${locked} delete from passkeys using locked where user_id = locked.id
              and exists (select from totp_secrets where user_id = ${admin.id})`
          : query`with ${locked} delete from totp_secrets using locked where user_id = locked.id
              and exists (select from passkeys where user_id = ${admin.id})`,
      ),
    );
    expect([await passkeysOf(admin), await isTwoFactorOn(db, admin.id)]).toEqual([[], false]);
  });
});

async function hasPasswordRow(user: { id: string }): Promise<number> {
  return (await sql`select from passwords where user_id = ${user.id}`).length;
}

describe("an alarm", () => {
  async function alarm(user: { id: string; email: string }, purpose: "not-me" | "email-restore") {
    const [event] = await sql<{ id: number }[]>`
      insert into audit_events (kind, user_id, at)
      values ('logged-in', ${user.id}, now() - interval '1 hour') returning id::int`;
    return createLink(db, { userId: user.id, sentTo: user.email, event: event?.id, purpose });
  }
  const redeem = { "not-me": redeemDisownLink, "email-restore": redeemEmailRestore };

  it.each(["not-me", "email-restore"] as const)(
    "of %s removes newer passkeys, and keeps older ones",
    async (purpose) => {
      const user = await createUser(db);
      const [old] = [await addSoftPasskey(db, user), await addSoftPasskey(db, user)];
      await sql`update passkeys set created_at = now() - interval '2 hours' where id = ${old.id}`;
      const token = await alarm(user, purpose);
      expect(await redeem[purpose](db, token, unknownClient)).toMatchObject({ ok: true });
      expect(await passkeysOf(user)).toMatchObject([{ id: old.id }]);
    },
  );

  it("wins over an attacker who adds a passkey at the same time", async () => {
    const user = await createUser(db);
    const login = await createLogin(db, user);
    const link = await alarm(user, "not-me");
    await collide<unknown>(2, onLock(user), (database, index) =>
      index === 0
        ? add(login, softPasskey(), database)
        : redeemDisownLink(database, link, unknownClient),
    );
    expect(await passkeysOf(user)).toEqual([]);
  });

  // Proves that the test above can fail: checks the session, then inserts without the user's lock.
  it("would not win if the session were checked before the user is locked", async () => {
    const user = await createUser(db);
    const { session } = await createLogin(db, user);
    const link = await alarm(user, "not-me");
    await collide(
      1,
      (tx) => redeemDisownLink(tx, link, unknownClient),
      async (database) => {
        const [found] = await database.execute(query`
          select user_id from sessions where id = ${session.id}`);
        await database.execute(query`
          insert into passkeys (user_id, credential_id, rp_id, public_key, sign_count, transports,
            aaguid, backup_eligible, backed_up, name)
          select ${found?.user_id}::uuid, sha256(${user.id}::text::bytea), 'app.example.com', '', 0, '{}',
            gen_random_uuid(), true, true, 'Naive'`);
      },
    );
    expect(await passkeysOf(user)).toHaveLength(1);
  });
});

describe("a password reset", () => {
  const reset = async (user: { id: string; email: string }, attacked?: boolean) => {
    const link = { userId: user.id, purpose: "password-reset", sentTo: user.email } as const;
    const chosen = { password: newPassword, revokeApiKeys: false, attacked };
    return redeemPasswordReset(db, await createLink(db, link), chosen, unknownClient);
  };

  it("keeps passkeys if the password was forgotten", async () => {
    const user = await createUser(db);
    await addSoftPasskey(db, user);
    expect((await reset(user)).ok).toBe(true);
    expect(await passkeysOf(user)).toHaveLength(1);
  });

  it("removes all passkeys if an attacker may have got in, and none of another user", async () => {
    const [user, other] = [await createUser(db), await createUser(db)];
    for (const owner of [user, user, other]) await addSoftPasskey(db, owner);
    await addTwoFactor(db, user);
    expect((await reset(user, true)).ok).toBe(true);
    expect(await passkeysOf(user)).toEqual([]);
    expect(await passkeysOf(other)).toHaveLength(1);
    expect(await isTwoFactorOn(db, user.id)).toBe(true);
  });
});
