import { sql as query } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { unknownClient } from "@/lib/audit";
import { disconnectIdentity } from "@/lib/auth/account/connected-accounts";
import { findIdentityOwner } from "@/lib/auth/credentials/identities";
import type { Person } from "@/lib/auth/credentials/providers";
import { confirmWithCode, confirmWithIdentity, findConfirmWay } from "@/lib/auth/login/confirm";
import { finishLogIn, logInWithIdentity } from "@/lib/auth/login/log-in";
import { findPendingLogin } from "@/lib/auth/login/pending-logins";
import { createSession } from "@/lib/auth/sessions/create";
import { invalidateAllUserSessions } from "@/lib/auth/sessions/end";
import { listSessions } from "@/lib/auth/sessions/list";
import { getSession } from "@/lib/auth/sessions/lookup";
import type { Db } from "@/lib/db/client";
import { countedConnection, db, sql } from "@/tests/support/database";
import { addIdentity, issuer, person, removePassword, waysWith } from "@/tests/support/identities";
import { addSoftPasskey } from "@/tests/support/passkeys";
import { collide } from "@/tests/support/races";
import { eventKinds, jobRows, sessionRows } from "@/tests/support/rows";
import { addTwoFactor, keys } from "@/tests/support/two-factor";
import { createLogin, createUser } from "@/tests/support/users";

const browser = {
  ...{ persistent: true, presented: null, knownBrowser: false, client: unknownClient },
};

async function connected() {
  const [user, who] = [await createUser(db), person()];
  return { user, who, identityId: await addIdentity(db, user, who) };
}

async function logIn(who: Person, pool: Db = db) {
  const owner = await findIdentityOwner(pool, who);
  if (!owner) throw new Error("No user has this account.");
  return logInWithIdentity(pool, owner, who, browser);
}

describe("findIdentityOwner", () => {
  it("finds by issuer and subject, never by the email", async () => {
    const { user, who } = await connected();
    expect(await findIdentityOwner(db, who)).toMatchObject({ userId: user.id });
    const sameEmail = person({ email: user.email, label: user.email });
    expect(await findIdentityOwner(db, sameEmail)).toBeNull();
    expect(await findIdentityOwner(db, { ...who, issuer: "https://other.example" })).toBeNull();
  });
});

describe("logInWithIdentity", () => {
  it("costs one statement to find whose account it is, and four in its transaction", async () => {
    const { who } = await connected();
    const counted = await countedConnection();
    const owner = await findIdentityOwner(counted.db, who);
    expect(counted.take()).toEqual(["select"]);
    const known = { ...browser, knownBrowser: true };
    expect(owner && (await logInWithIdentity(counted.db, owner, who, known))?.ok).toBe(true);
    const control = ["begin", "savepoint", "commit"];
    expect(counted.take().filter((word) => !control.includes(word))).toHaveLength(4);
  });

  it("creates a session with the way of login, mails about the device and stores the current label", async () => {
    const { user, who, identityId } = await connected();
    const result = await logIn({ ...who, label: "ada@new.example" });
    if (!result.ok) throw new Error(result.reason);
    const session = await getSession(db, result.token);
    expect(session).toMatchObject({ userId: user.id, sudo: "full", strong: false });
    expect(session && (await listSessions(db, session))).toMatchObject([
      { amr: ["oidc"], account: "ada@new.example" },
    ]);
    expect(await jobRows(user)).toMatchObject([{ payload: { mail: "new-device", by: "oidc" } }]);
    const [row] = await sql`select begun_with from sessions where user_id = ${user.id}`;
    expect(row?.begun_with).toBe(identityId);
    expect(session?.user).toMatchObject({ email: user.email, name: user.name });
  });

  it("asks for the second factor if there is one, and records both in the session", async () => {
    const { user, who, identityId } = await connected();
    const app = await addTwoFactor(db, user);
    const begun = await logIn(who);
    if (begun.ok || begun.reason !== "code-needed") throw new Error("No code was asked for.");
    expect(await sessionRows(user)).toEqual([]);
    const pending = await findPendingLogin(db, begun.pending);
    if (!pending) throw new Error("The pending login is not open.");
    const given = { presented: null, known: null, client: unknownClient, keys };
    expect((await finishLogIn(db, pending, app.code(), given)).ok).toBe(true);
    const [row] = await sql`select amr, begun_with from sessions where user_id = ${user.id}`;
    expect(row).toMatchObject({ amr: ["oidc", "otp"], begun_with: identityId });
  });

  it("tells a suspended user, and starts no session", async () => {
    const { user, who } = await connected();
    await sql`update users set status = 'suspended' where id = ${user.id}`;
    expect(await logIn(who)).toEqual({ ok: false, reason: "suspended" });
    expect(await sessionRows(user)).toEqual([]);
  });

  it("is refused after log out everywhere", async () => {
    const { user, who } = await connected();
    const owner = await findIdentityOwner(db, who);
    await invalidateAllUserSessions(db, user.id);
    if (!owner) throw new Error("No user has this account.");
    const result = await logInWithIdentity(db, owner, who, browser);
    expect(result).toEqual({ ok: false, reason: "incorrect" });
  });

  it("leaves no session if the account is disconnected at the same moment", async () => {
    expect(await raceWithDisconnection(logIn)).toBe(0);
  });

  it("would leave one if it did not check again after the user's lock", async () => {
    const naive = async (who: Person, pool: Db) => {
      const owner = await findIdentityOwner(pool, who);
      if (!owner) return;
      const { userId, authVersion, identityId: begunWith } = owner;
      const { presented, client } = browser;
      const session = { userId, authVersion, begunWith, presented, client, persistent: true };
      await createSession(pool, { ...session, amr: ["oidc"] });
    };
    expect(await raceWithDisconnection(naive)).toBe(1);
  });
});

/**
 * Disconnects the account, holding the user's lock while the login waits. Returns how many
 * sessions are left.
 */
async function raceWithDisconnection(
  logIn: (who: Person, pool: Db) => Promise<unknown>,
): Promise<number> {
  const { user, who, identityId } = await connected();
  const { session } = await createLogin(db, user);
  await collide(
    1,
    (tx) => disconnectIdentity(tx, session, identityId, waysWith(issuer)),
    (pool) => logIn(who, pool),
  );
  return (await sessionRows(user)).length - 1;
}

describe("the proof that is asked for", () => {
  it("is the password, else a code, else a passkey, else a provider", async () => {
    const { user } = await connected();
    expect(await findConfirmWay(db, user.id, waysWith(issuer))).toBe("password");
    await addTwoFactor(db, user);
    expect(await findConfirmWay(db, user.id, waysWith(issuer))).toBe("password");
    await removePassword(user);
    expect(await findConfirmWay(db, user.id, waysWith(issuer))).toBe("code");
    const { user: other } = await connected();
    await removePassword(other);
    expect(await findConfirmWay(db, other.id, waysWith(issuer))).toBe("provider");
    await addSoftPasskey(db, other);
    expect(await findConfirmWay(db, other.id, waysWith(issuer))).toBe("passkey");
  });
});

describe("confirmWithIdentity", () => {
  async function withoutPassword() {
    const world = await connected();
    await removePassword(world.user);
    const login = await createLogin(db, world.user, { amr: ["oidc"] });
    await sql`
      update sessions set authenticated_at = now() - interval '1 hour'
      where id = ${login.session.id}`;
    const [row] = await db.execute<{ now: string }>(query`select now() as now`);
    return { ...world, ...login, begunAt: new Date(row?.now ?? 0), here: waysWith(issuer) };
  }

  it("renews sudo, with a new token, and is no strong proof", async () => {
    const { session, token, who, begunAt, here } = await withoutPassword();
    expect((await getSession(db, token))?.sudo).toBe("expired");
    const proof = { presented: token, person: who, begunAt, here };
    const result = await confirmWithIdentity(db, session, proof);
    if (!result.ok) throw new Error(result.reason);
    expect(await getSession(db, token)).toBeNull();
    expect(await getSession(db, result.token)).toMatchObject({ sudo: "full", strong: false });
  });

  it("refuses another account, and a proof from before the visit", async () => {
    const { session, token, who, begunAt, here } = await withoutPassword();
    const stale = new Date(begunAt.getTime() - 120_000);
    for (const [other, reason] of [
      [person(), "incorrect"],
      [{ ...who, authenticatedAt: stale }, "stale"],
    ] as const) {
      const proof = { presented: token, person: other, begunAt, here };
      const result = await confirmWithIdentity(db, session, proof);
      expect(result).toEqual({ ok: false, reason });
    }
    const { who: foreign } = await connected();
    const proof = { presented: token, person: foreign, begunAt, here };
    expect((await confirmWithIdentity(db, session, proof)).ok).toBe(false);
    expect((await getSession(db, token))?.sudo).toBe("expired");
  });

  it("accepts a proof that the provider reports as fresh", async () => {
    const { session, token, who, begunAt, here } = await withoutPassword();
    const proof = { presented: token, person: { ...who, authenticatedAt: begunAt }, begunAt, here };
    expect((await confirmWithIdentity(db, session, proof)).ok).toBe(true);
  });

  it("is refused if the account has a passkey that works here", async () => {
    const { user, session, token, who, begunAt, here } = await withoutPassword();
    const proof = { presented: token, person: who, begunAt, here };
    await addSoftPasskey(db, user);
    expect(await confirmWithIdentity(db, session, proof)).toEqual({
      ...{ ok: false, reason: "better-way" },
    });
    const elsewhere = { ...here, rpId: "other.example" };
    expect((await confirmWithIdentity(db, session, { ...proof, here: elsewhere })).ok).toBe(true);
  });

  it("is refused if the account has a password or two-factor", async () => {
    const { user, session, token, who, begunAt, here } = await withoutPassword();
    await addTwoFactor(db, user);
    const proof = { presented: token, person: who, begunAt, here };
    const refused = { ok: false, reason: "better-way" };
    expect(await confirmWithIdentity(db, session, proof)).toEqual(refused);
    const other = await connected();
    const login = await createLogin(db, other.user);
    const result = await confirmWithIdentity(db, login.session, {
      ...{ presented: login.token, person: other.who, begunAt, here },
    });
    expect(result).toEqual(refused);
  });
});

describe("confirmWithCode", () => {
  it("works for accounts without a password, and makes the session strong", async () => {
    const { user } = await connected();
    const app = await addTwoFactor(db, user);
    const { session, token } = await createLogin(db, user, { amr: ["oidc", "otp"] });
    const proof = { presented: token, code: app.code(), keys };
    expect((await confirmWithCode(db, session, proof)).ok).toBe(false);
    const guess = { ...proof, code: app.wrong() };
    expect(await confirmWithCode(db, session, guess)).toEqual({ ok: false, reason: "incorrect" });
    expect(await eventKinds(user)).not.toContain("second-factor-failed");
    await removePassword(user);
    const wrong = await confirmWithCode(db, session, { ...proof, code: app.wrong() });
    expect(wrong).toEqual({ ok: false, reason: "code-incorrect" });
    const result = await confirmWithCode(db, session, proof);
    if (!result.ok) throw new Error(result.reason);
    expect(await getSession(db, result.token)).toMatchObject({ sudo: "full", strong: true });
  });
});
