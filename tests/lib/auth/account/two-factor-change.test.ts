import { sql as query } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { changeRole, operator, turnOffTwoFactor as turnOffTwoFactorOf } from "@/lib/admin/actions";
import { unknownClient } from "@/lib/audit";
import { redeemDisownLink } from "@/lib/auth/account/disowned-login";
import { redeemEmailRestore } from "@/lib/auth/account/email-change";
import { changePassword, redeemPasswordReset } from "@/lib/auth/account/password-change";
import {
  confirmTwoFactor,
  renewRecoveryCodes,
  startTwoFactor,
  turnOffTwoFactor,
} from "@/lib/auth/account/two-factor-change";
import {
  countRecoveryCodes,
  isRecoveryCode,
  replaceRecoveryCodes,
} from "@/lib/auth/credentials/recovery-codes";
import {
  countUnreadableSecrets,
  deleteExpiredApps,
  findStartedApp,
  findStep,
  findTwoFactor,
  isTwoFactorOn,
  resealSecrets,
  startApp,
} from "@/lib/auth/credentials/two-factor";
import { createLink } from "@/lib/auth/links";
import { parseSealingKeys } from "@/lib/auth/sealing";
import { invalidateOtherSessions, invalidateSession } from "@/lib/auth/sessions/end";
import { getSession, type Session } from "@/lib/auth/sessions/lookup";
import type { Db } from "@/lib/db/client";
import { db, sql } from "@/tests/support/database";
import { site } from "@/tests/support/passkeys";
import { collide } from "@/tests/support/races";
import { eventKinds, mailKinds } from "@/tests/support/rows";
import { addTwoFactor, authenticator, keys } from "@/tests/support/two-factor";
import {
  createLogin,
  createUser,
  newPassword,
  password,
  withPassword,
} from "@/tests/support/users";

const strong = { amr: ["pwd", "otp"] };

async function started(session: Session) {
  expect(await startTwoFactor(db, session, keys, site)).toEqual({ ok: true });
  const secret = await findStartedApp(db, session, keys);
  if (!secret) throw new Error("No app was started.");
  return authenticator(secret);
}

describe("turning two-factor on", () => {
  it("has no effect until a code is right; then keeps only this session, and makes it strong", async () => {
    const user = await createUser(db);
    const [here, there] = [await createLogin(db, user), await createLogin(db, user)];
    const app = await started(here.session);
    expect(await isTwoFactorOn(db, user.id)).toBe(false);
    const confirm = (code: string) =>
      confirmTwoFactor(db, here.session, { presented: here.token, code, keys, here: site });
    expect(await confirm(app.wrong())).toEqual({ ok: false, reason: "incorrect" });
    expect(await getSession(db, there.token)).not.toBeNull();

    const on = await confirm(app.code());
    if (!on.ok) throw new Error(on.reason);
    expect(new Set(on.recoveryCodes).size).toBe(8);
    expect(on.recoveryCodes.every((code) => /^(\w{4}-){5}\w{4}$/.test(code))).toBe(true);
    expect(await findTwoFactor(db, user.id)).toMatchObject({ recoveryCodes: 8 });
    expect(await getSession(db, on.token)).toMatchObject({ id: here.session.id, strong: true });
    for (const dead of [here, there]) expect(await getSession(db, dead.token)).toBeNull();
    expect(await eventKinds(user)).toEqual(["logged-in", "logged-in", "two-factor-on"]);
    expect(await mailKinds(user)).toEqual(["two-factor-changed"]);
    expect(await confirm(app.code(1))).toEqual({ ok: false, reason: "ended" });
  });

  it("uses up the code that confirmed the app", async () => {
    const user = await createUser(db);
    const { session, token } = await createLogin(db, user);
    const app = await started(session);
    const code = app.code();
    await confirmTwoFactor(db, session, { presented: token, code, keys, here: site });
    expect(await findStep(db, user.id, code, keys)).toBeNull();
  });

  it("forgets an app that was not confirmed within the hour", async () => {
    const user = await createUser(db);
    const { session, token } = await createLogin(db, user);
    const app = await started(session);
    await sql`update totp_secrets set created_at = now() - interval '61 minutes'
      where user_id = ${user.id}`;
    const answer = await confirmTwoFactor(db, session, {
      ...{ presented: token, code: app.code(), keys, here: site },
    });
    expect(answer).toEqual({ ok: false, reason: "none" });
    await deleteExpiredApps(db);
    expect(await sql`select from totp_secrets where user_id = ${user.id}`).toHaveLength(0);
  });
});

const lockUser = (user: { id: string }) => (tx: Db) =>
  tx.execute(query`select from users where id = ${user.id} for no key update`);

describe("two sessions of one user at once", () => {
  async function createTwo() {
    const user = await createUser(db);
    const logins = [await createLogin(db, user), await createLogin(db, user)] as const;
    return { user, logins };
  }

  // Otherwise an attacker's session could have the user confirm its app, or could copy the key.
  it("see and confirm only their own app", async () => {
    const { logins } = await createTwo();
    const [here, there] = logins;
    const app = await started(here.session);
    expect(await findStartedApp(db, there.session, keys)).toBeNull();
    const theirs = await started(there.session);
    for (const code of [app.code(), theirs.wrong()]) {
      const answer = await confirmTwoFactor(db, there.session, {
        ...{ presented: there.token, code, keys, here: site },
      });
      expect(answer).toEqual({ ok: false, reason: "incorrect" });
    }
    const on = await confirmTwoFactor(db, here.session, {
      ...{ presented: here.token, code: app.code(), keys, here: site },
    });
    expect(on).toMatchObject({ ok: true });
  });

  it("leave no app that was started by one that has ended", async () => {
    const { user, logins } = await createTwo();
    await started(logins[1].session);
    await invalidateSession(db, logins[0].session, logins[1].session.id);
    expect(await sql`select from totp_secrets where user_id = ${user.id}`).toHaveLength(0);
  });

  it("start one app if one session starts it twice at once", async () => {
    const { user, logins } = await createTwo();
    const answers = await collide(
      1,
      (tx) => startTwoFactor(tx, logins[0].session, keys, site),
      (db) => startTwoFactor(db, logins[0].session, keys, site),
    );
    expect(answers).toEqual([{ ok: true }]);
    expect(await sql`select from totp_secrets where user_id = ${user.id}`).toHaveLength(1);
  });

  // Proves that the test above can fail: without the user's lock, the second misses the first.
  it("would collide in the table if they did not lock the user", async () => {
    const { logins } = await createTwo();
    const naive = (db: Db) => startApp(db, logins[0].session, keys);
    await expect(collide(1, naive, naive)).rejects.toThrow();
  });

  it("turn two-factor on once, with one set of codes", async () => {
    const { user, logins } = await createTwo();
    const apps = [await started(logins[0].session), await started(logins[1].session)] as const;
    const answers = await collide(2, lockUser(user), (db, index) => {
      const { session, token } = logins[index === 0 ? 0 : 1];
      return confirmTwoFactor(db, session, {
        presented: token,
        code: apps[index === 0 ? 0 : 1].code(),
        keys,
        here: site,
      });
    });
    const [on] = answers.filter((each) => each.ok);
    if (!on?.ok) throw new Error("Neither turned it on.");
    expect(answers.filter(({ ok }) => !ok)).toEqual([{ ok: false, reason: "ended" }]);
    expect(await sql`select from totp_secrets where user_id = ${user.id}`).toHaveLength(1);
    expect(await countRecoveryCodes(db, user.id)).toBe(8);
    expect(await isRecoveryCode(db, user.id, `${on.recoveryCodes[0]}`)).toBe(true);
    expect(await getSession(db, on.token)).toMatchObject({ strong: true });
    expect(await eventKinds(user)).toEqual(["logged-in", "logged-in", "two-factor-on"]);
  });

  // Proves that the test above can fail: both find the started app before either has the lock.
  it("would both show codes, of which one set works, if they checked before the lock", async () => {
    const { user, logins } = await createTwo();
    await started(logins[0].session);
    const shown = await collide(2, lockUser(user), async (db) => {
      const secret = await findStartedApp(db, logins[0].session, keys);
      return db.transaction(async (tx) => {
        await lockUser(user)(tx);
        await tx.execute(query`
          update totp_secrets set confirmed_at = now(), started_by = null where user_id = ${user.id}`);
        return secret ? replaceRecoveryCodes(tx, user.id) : [];
      });
    });
    const working = await Promise.all(
      shown.map(([code]) => isRecoveryCode(db, user.id, `${code}`)),
    );
    expect(working.sort()).toEqual([false, true]);
  });
});

describe("a session that another device logs out while it confirms an app", () => {
  async function createRace() {
    const user = await createUser(db);
    const [owner, attacker] = [await createLogin(db, user), await createLogin(db, user)];
    const app = await started(attacker.session);
    return { user, owner, attacker, app };
  }

  it("is refused, and two-factor stays off", async () => {
    const { user, owner, attacker, app } = await createRace();
    const answers = await collide(
      1,
      (tx) => invalidateOtherSessions(tx, owner.session),
      (db) =>
        confirmTwoFactor(db, attacker.session, {
          ...{ presented: attacker.token, code: app.code(), keys, here: site },
        }),
    );
    expect(answers).toEqual([{ ok: false, reason: "ended" }]);
    expect(await isTwoFactorOn(db, user.id)).toBe(false);
    expect(await getSession(db, owner.token)).not.toBeNull();
  });

  // Proves that the test above can fail: the statement that waits for the lock has an old snapshot.
  it("would still be found if the statement that locks the user checked it", async () => {
    const { user, owner, attacker } = await createRace();
    const found = await collide(
      1,
      (tx) => invalidateOtherSessions(tx, owner.session),
      (db) =>
        db.execute(query`
          select sessions.id from users join sessions on sessions.user_id = users.id
          where users.id = ${user.id} and sessions.id = ${attacker.session.id}
            and sessions.auth_version = users.auth_version
          for no key update of users`),
    );
    expect(found.flatMap((rows) => [...rows])).toEqual([{ id: attacker.session.id }]);
    expect(await getSession(db, attacker.token)).toBeNull();
  });
});

describe("a user who becomes an administrator while turning two-factor off", () => {
  async function createRace() {
    const user = await createUser(db);
    await addTwoFactor(db, user);
    return { user, ...(await createLogin(db, user, strong)) };
  }
  const promote = (user: { id: string }) => (tx: Db) => changeRole(tx, operator, user.id, "admin");

  it("keeps two-factor", async () => {
    const { user, session, token } = await createRace();
    const answers = await collide(1, promote(user), (db) =>
      turnOffTwoFactor(db, session, token, site),
    );
    expect(answers).toEqual([{ ok: false, reason: "demanded" }]);
    expect(await findTwoFactor(db, user.id)).toMatchObject({ recoveryCodes: 8 });
  });

  // Proves that the test above can fail: uses the role from the session's lookup.
  it("would lose two-factor if the role were read before the lock", async () => {
    const { user, session } = await createRace();
    const roles = await collide(1, promote(user), async (db) => {
      const { role } = session.user;
      await lockUser(user)(db);
      return role;
    });
    expect(roles).toEqual(["user"]);
  });
});

describe("another app", () => {
  it("keeps the old app valid until the new one is confirmed, and keeps the date of turning on", async () => {
    const user = await createUser(db);
    const old = await addTwoFactor(db, user);
    await sql`update totp_secrets set since = '2026-01-01' where user_id = ${user.id}`;
    const { session, token } = await createLogin(db, user, strong);
    const app = await started(session);
    expect(await findStep(db, user.id, old.code(), keys)).not.toBeNull();
    const moved = await confirmTwoFactor(db, session, {
      ...{ presented: token, code: app.code(), keys, here: site },
    });
    expect(moved.ok).toBe(true);
    expect(await findStep(db, user.id, old.code(), keys)).toBeNull();
    expect((await findTwoFactor(db, user.id))?.since).toEqual(new Date("2026-01-01T00:00:00Z"));
    expect(await eventKinds(user)).toContain("two-factor-moved");
  });
});

describe("a session that proved only a password, of a user with two-factor", () => {
  it("changes nothing", async () => {
    const user = await createUser(db);
    const { session, token } = await createLogin(db, user);
    await addTwoFactor(db, user);
    const weak = { ok: false, reason: "weak" };
    expect(await startTwoFactor(db, session, keys, site)).toEqual(weak);
    expect(await turnOffTwoFactor(db, session, token, site)).toEqual(weak);
    expect(await renewRecoveryCodes(db, session, site)).toEqual(weak);
    const code = { presented: token, code: "000000", keys, here: site };
    expect(await confirmTwoFactor(db, session, code)).toEqual(weak);
    expect(await findTwoFactor(db, user.id)).toMatchObject({ recoveryCodes: 8 });
  });

  it("gets no sudo by changing the password", async () => {
    const user = await createUser(db);
    const { session, token } = await createLogin(db, user);
    await addTwoFactor(db, user);
    await sql`update sessions set authenticated_at = now() - interval '1 day'
      where id = ${session.id}`;
    const change = { presented: token, current: password, next: newPassword };
    const changed = await changePassword(db, session, change);
    const after = changed.ok && (await getSession(db, changed.token));
    expect(after).toMatchObject({ sudo: "expired", strong: false });
  });
});

describe("turning two-factor off", () => {
  it("deletes secret and codes, and ends the other sessions", async () => {
    const user = await createUser(db);
    await addTwoFactor(db, user);
    const [here, there] = [
      await createLogin(db, user, strong),
      await createLogin(db, user, strong),
    ];
    const off = await turnOffTwoFactor(db, here.session, here.token, site);
    expect(off.ok && (await getSession(db, off.token))?.id).toBe(here.session.id);
    expect(await getSession(db, there.token)).toBeNull();
    expect(await findTwoFactor(db, user.id)).toBeNull();
    expect(await countRecoveryCodes(db, user.id)).toBe(0);
    expect(await mailKinds(user)).toEqual(["two-factor-changed"]);
  });

  it("is refused to an administrator, and to a session that has ended", async () => {
    const admin = await createUser(db, { role: "admin" });
    await addTwoFactor(db, admin);
    const { session, token } = await createLogin(db, admin);
    expect(await turnOffTwoFactor(db, session, token, site)).toEqual({
      ok: false,
      reason: "demanded",
    });
    await sql`update users set auth_version = auth_version + 1 where id = ${admin.id}`;
    expect(await turnOffTwoFactor(db, session, token, site)).toEqual({
      ok: false,
      reason: "ended",
    });
    expect(await isTwoFactorOn(db, admin.id)).toBe(true);
  });
});

describe("turning two-factor off while it is off", () => {
  it("keeps an app that was started", async () => {
    const user = await createUser(db);
    const { session, token } = await createLogin(db, user);
    await started(session);
    expect(await turnOffTwoFactor(db, session, token, site)).toEqual({ ok: false, reason: "none" });
    const unchanged = { ok: false, reason: "unchanged" };
    expect(await turnOffTwoFactorOf(db, operator, user.id)).toEqual(unchanged);
    expect(await findStartedApp(db, session, keys)).not.toBeNull();
  });
});

describe("new recovery codes", () => {
  it("replace the old ones and end nothing", async () => {
    const user = await createUser(db);
    await addTwoFactor(db, user);
    const [here, there] = [
      await createLogin(db, user, strong),
      await createLogin(db, user, strong),
    ];
    const renewed = await renewRecoveryCodes(db, here.session, site);
    expect(renewed.ok && renewed.recoveryCodes).toHaveLength(8);
    expect(await countRecoveryCodes(db, user.id)).toBe(8);
    for (const { token } of [here, there]) expect(await getSession(db, token)).not.toBeNull();
  });
});

describe("a link that undoes an attack", () => {
  /** Creates a link of a mail about an event that long ago. */
  async function undoLink(user: { id: string; email: string }, ago: string, purpose = "not-me") {
    const [event] = await sql<{ id: number }[]>`
      insert into audit_events (kind, user_id, at)
      values ('logged-in', ${user.id}, now() - ${ago}::interval) returning id::int`;
    return createLink(db, {
      ...{ userId: user.id, sentTo: user.email, event: event?.id },
      purpose: purpose as "not-me" | "email-restore",
    });
  }
  const redeem = {
    "not-me": redeemDisownLink,
    "email-restore": redeemEmailRestore,
  };

  it.each(["not-me", "email-restore"] as const)("of %s ends newer two-factor", async (purpose) => {
    const user = await createUser(db);
    const token = await undoLink(user, "1 hour", purpose);
    await addTwoFactor(db, user);
    expect(await redeem[purpose](db, token, unknownClient)).toMatchObject({ ok: true });
    expect(await findTwoFactor(db, user.id)).toBeNull();
    expect(await countRecoveryCodes(db, user.id)).toBe(0);
  });

  it.each(["not-me", "email-restore"] as const)(
    "of %s ends newer recovery codes of older two-factor",
    async (purpose) => {
      const user = await createUser(db);
      await addTwoFactor(db, user);
      await sql`update totp_secrets set since = now() - interval '1 day' where user_id = ${user.id}`;
      await sql`update recovery_codes set created_at = now() - interval '1 minute' where user_id = ${user.id}`;
      const token = await undoLink(user, "1 hour", purpose);
      expect(await redeem[purpose](db, token, unknownClient)).toMatchObject({ ok: true });
      expect(await findTwoFactor(db, user.id)).toMatchObject({ recoveryCodes: 0 });
    },
  );

  it.each(["not-me", "email-restore"] as const)(
    "of %s keeps older two-factor and codes, and ends a started app",
    async (purpose) => {
      const user = await createUser(db);
      await addTwoFactor(db, user);
      await sql`update totp_secrets set since = now() - interval '1 day' where user_id = ${user.id}`;
      await sql`update recovery_codes set created_at = now() - interval '1 day' where user_id = ${user.id}`;
      const { session } = await createLogin(db, user, strong);
      await started(session);
      const token = await undoLink(user, "1 hour", purpose);
      expect(await redeem[purpose](db, token, unknownClient)).toMatchObject({ ok: true });
      expect(await findTwoFactor(db, user.id)).toMatchObject({ recoveryCodes: 8 });
      expect(await findStartedApp(db, session, keys)).toBeNull();
    },
  );

  it("wins over an attacker who confirms an app at the same time", async () => {
    const user = await createUser(db);
    const { session, token } = await createLogin(db, user);
    const app = await started(session);
    const link = await undoLink(user, "1 minute");
    await collide<unknown>(
      2,
      (tx) => tx.execute(query`select from users where id = ${user.id} for update`),
      (db, index) =>
        index === 0
          ? confirmTwoFactor(db, session, { presented: token, code: app.code(), keys, here: site })
          : redeemDisownLink(db, link, unknownClient),
    );
    expect(await isTwoFactorOn(db, user.id)).toBe(false);
  });

  // Proves that the test above can fail: does not check the session under the user's lock.
  it("loses if the app is confirmed without a check of the session under the lock", async () => {
    const user = await createUser(db);
    const { session } = await createLogin(db, user);
    await started(session);
    const link = await undoLink(user, "1 minute");
    await collide<unknown>(
      1,
      (tx) => redeemDisownLink(tx, link, unknownClient),
      (db) =>
        db.execute(query`
        with owner as (select id from users where id = ${user.id} for no key update)
        insert into totp_secrets (user_id, secret, confirmed_at)
        select id, '', now() from owner`),
    );
    expect(await isTwoFactorOn(db, user.id)).toBe(true);
    await sql`delete from totp_secrets where user_id = ${user.id}`; // no key opens this secret
  });
});

describe("a password reset", () => {
  it("does not change two-factor", async () => {
    const user = await createUser(db);
    await addTwoFactor(db, user);
    const link = { userId: user.id, purpose: "password-reset", sentTo: user.email } as const;
    const token = await createLink(db, link);
    await redeemPasswordReset(db, token, withPassword(newPassword), unknownClient);
    expect(await findTwoFactor(db, user.id)).toMatchObject({ recoveryCodes: 8 });
  });
});

describe("rotating the keys", () => {
  it("reseals secrets with the first key, and counts those that no key opens", async () => {
    const user = await createUser(db);
    const app = await addTwoFactor(db, user);
    const fresh = parseSealingKeys("bmV3LWtleS1uZXcta2V5LW5ldy1rZXktbmV3LWtleS0");
    expect(await countUnreadableSecrets(db, keys)).toBe(0);
    expect((await resealSecrets(db, [...fresh, ...keys])).resealed).toBeGreaterThan(0);
    expect(await findStep(db, user.id, app.code(), fresh)).not.toBeNull();
    expect(await findStep(db, user.id, app.code(), keys)).toBeNull();
    expect(await countUnreadableSecrets(db, keys)).toBeGreaterThan(0);
    expect((await resealSecrets(db, keys)).unreadable).toBeGreaterThan(0);
  });
});
