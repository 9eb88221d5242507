import { randomUUID } from "node:crypto";
import * as argon2 from "@node-rs/argon2";
import { sql as query } from "drizzle-orm";
import { describe, expect, it, vi } from "vitest";
import { unknownClient } from "@/lib/audit";
import {
  type RedeemSignUp,
  redeemSignUp,
  redeemSignUpWithPasskey,
  signingUpWithPasskey,
} from "@/lib/auth/account/sign-up";
import { findHandle, listPasskeys } from "@/lib/auth/credentials/passkeys";
import { handleOfSignUp } from "@/lib/auth/credentials/webauthn";
import { logIn } from "@/lib/auth/login/log-in";
import { linkPolicy, passwordPolicy } from "@/lib/auth/policy";
import { hashToken, newToken } from "@/lib/auth/secrets";
import { getSession } from "@/lib/auth/sessions/lookup";
import { createSignUp, deleteExpiredSignUps, findSignUp } from "@/lib/auth/sign-up-links";
import type { Db } from "@/lib/db/client";
import { db, sql } from "@/tests/support/database";
import { addSoftPasskey, type SoftPasskey, site, softPasskey } from "@/tests/support/passkeys";
import { collide } from "@/tests/support/races";
import { eventKinds, sessionRows, wholeDatabase } from "@/tests/support/rows";
import { createLogin, createUser } from "@/tests/support/users";

// Spied on, not replaced: every hash is real, and counted.
vi.mock("@node-rs/argon2", { spy: true });

const visit = { presented: null, client: unknownClient };
const chosen = { name: "Grace Walker", password: "kelp otter zinc" };

/** Creates a sign-up link. Returns its email and token. */
async function invite(): Promise<{ email: string; token: string }> {
  const email = `${randomUUID()}@example.com`;
  const token = await createSignUp(db, email);
  if (!token) throw new Error("invite: this address has an account.");
  return { email, token };
}

async function usersOf(email: string): Promise<{ id: string; name: string }[]> {
  return sql<{ id: string; name: string }[]>`select id, name from users where email = ${email}`;
}

describe("createSignUp", () => {
  it("stores the email, and only the SHA-256 of its link", async () => {
    const { email, token } = await invite();
    const [row] = await sql`
      select token_hash, extract(epoch from expires_at - created_at)::int as seconds
      from pending_sign_ups where email = ${email}`;
    expect(row?.token_hash).toEqual(hashToken(token));
    expect(row?.seconds).toBe(linkPolicy.signUp / 1000);
    expect(await wholeDatabase()).not.toContain(token);
    expect(await usersOf(email)).toEqual([]);
  });

  it("invalidates the earlier link of the email", async () => {
    const { email, token } = await invite();
    const newer = await createSignUp(db, email);
    expect(await findSignUp(db, token)).toBeNull();
    expect(await findSignUp(db, `${newer}`)).toEqual({ email });
  });

  it("makes no link for an email with an account, and the rows stay", async () => {
    const user = await createUser(db);
    expect(await createSignUp(db, user.email)).toBeNull();
    expect(await sql`select from pending_sign_ups where email = ${user.email}`).toHaveLength(0);
    expect(await usersOf(user.email)).toEqual([{ id: user.id, name: user.name }]);
  });
});

describe("findSignUp", () => {
  it("can be called any number of times, as mail scanners do", async () => {
    const { email, token } = await invite();
    for (let n = 0; n < 5; n++) expect(await findSignUp(db, token)).toEqual({ email });
    expect((await redeemSignUp(db, token, chosen, visit)).ok).toBe(true);
  });

  it("finds nothing from the link's expiry on, to the second", async () => {
    const { token } = await invite();
    await db.transaction(async (tx) => {
      const isFoundAt = async (shift: number) => {
        await tx.execute(query`
          update pending_sign_ups set expires_at = now() + ${shift} * interval '1 second'
          where token_hash = ${hashToken(token)}`);
        return (await findSignUp(tx, token)) !== null;
      };
      expect(await isFoundAt(1)).toBe(true);
      expect(await isFoundAt(0)).toBe(false);
      expect(await isFoundAt(-1)).toBe(false);
    });
  });

  it("finds nothing for a token that is no link", async () => {
    for (const token of [newToken(), "", "x", "\0", "x".repeat(100_000)])
      expect(await findSignUp(db, token)).toBeNull();
  });
});

describe("redeemSignUp", () => {
  it("makes the user, who is logged in and can log in again", async () => {
    const { email, token } = await invite();
    const answer = await redeemSignUp(db, token, chosen, visit);
    if (!answer.ok) throw new Error(answer.reason);
    const session = await getSession(db, answer.token);
    expect(session?.user).toMatchObject({ email, name: chosen.name, role: "user" });
    expect(await eventKinds({ id: `${session?.userId}` })).toEqual(["signed-up", "logged-in"]);
    const again = { email, password: chosen.password, persistent: true, knownBrowser: true };
    expect((await logIn(db, { ...visit, ...again })).ok).toBe(true);
  });

  it("keeps neither the password nor a token in the clear", async () => {
    const { token } = await invite();
    const answer = await redeemSignUp(db, token, chosen, visit);
    const everything = await wholeDatabase();
    for (const secret of [token, chosen.password, answer.ok ? answer.token : ""])
      expect(everything).not.toContain(secret);
  });

  it("works once", async () => {
    const { email, token } = await invite();
    await redeemSignUp(db, token, chosen, visit);
    const again = await redeemSignUp(db, token, { ...chosen, name: "Mallory" }, visit);
    expect(again).toEqual({ ok: false, reason: "dead-link" });
    expect((await usersOf(email)).map(({ name }) => name)).toEqual([chosen.name]);
  });

  it("refuses a link that has expired, and makes no user", async () => {
    const { email, token } = await invite();
    await sql`update pending_sign_ups set expires_at = now() where email = ${email}`;
    const answer = await redeemSignUp(db, token, chosen, visit);
    expect(answer).toEqual({ ok: false, reason: "dead-link" });
    expect(await usersOf(email)).toEqual([]);
  });

  it.each([
    ["too-short", "kelp otter"],
    ["too-long", "kelp otter zinc ".repeat(passwordPolicy.maxLength)],
    ["common", "passwordpassword"],
    ["personal", "Grace Walker 1"],
  ])("refuses a password that is %s, and keeps the link", async (fault, password) => {
    const { email, token } = await invite();
    const answer = await redeemSignUp(db, token, { ...chosen, password }, visit);
    expect(answer).toEqual({ ok: false, reason: "password", fault });
    expect(await usersOf(email)).toEqual([]);
    expect(await findSignUp(db, token)).toEqual({ email });
  });

  it("refuses a megabyte without hashing it", async () => {
    const { token } = await invite();
    vi.mocked(argon2.hash).mockClear();
    const megabyte = { ...chosen, password: "x".repeat(1_000_000) };
    const refused = { ok: false, reason: "password", fault: "too-long" };
    expect(await redeemSignUp(db, token, megabyte, visit)).toEqual(refused);
    expect(vi.mocked(argon2.hash)).not.toHaveBeenCalled();
  });

  it("does not change an account created meanwhile, and uses up the link", async () => {
    const { email, token } = await invite();
    const user = await createUser(db, { email });
    const answer = await redeemSignUp(db, token, chosen, visit);
    expect(answer).toEqual({ ok: false, reason: "dead-link" });
    expect(await usersOf(email)).toEqual([{ id: user.id, name: user.name }]);
    expect(await sessionRows(user)).toEqual([]);
    expect(await eventKinds(user)).toEqual([]);
  });

  it("ends the session that the browser presents", async () => {
    const { token } = await invite();
    const attacker = await createUser(db);
    const { token: planted } = await createLogin(db, attacker);
    const answer = await redeemSignUp(db, token, chosen, { ...visit, presented: planted });
    expect(answer.ok && answer.token).not.toBe(planted);
    expect(await getSession(db, planted)).toBeNull();
    expect(await sessionRows(attacker)).toEqual([]);
  });
});

describe("redeemSignUp, thirty at once with one link", () => {
  const lockLink = (token: string) => (tx: Db) =>
    tx.execute(
      query`select from pending_sign_ups where token_hash = ${hashToken(token)} for update`,
    );

  it("creates exactly one user, and refuses the others with a dead link", async () => {
    const { email, token } = await invite();
    const answers = await collide(30, lockLink(token), (db, n) =>
      redeemSignUp(db, token, { ...chosen, name: `Grace ${n}` }, visit),
    );
    const isDead = (answer: RedeemSignUp) => !answer.ok && answer.reason === "dead-link";
    expect(answers.filter(({ ok }) => ok)).toHaveLength(1);
    expect(answers.filter(isDead)).toHaveLength(29);
    const [row, ...more] = await usersOf(email);
    expect(more).toEqual([]);
    expect(await sessionRows({ id: `${row?.id}` })).toHaveLength(1);
  });

  // Proves that the test above can fail: looks the link up, then deletes it.
  it("would accept all thirty if it ignored whether its delete found the link", async () => {
    const { token } = await invite();
    const accepted = await collide(30, lockLink(token), async (db) => {
      const found = await findSignUp(db, token);
      await db.execute(query`delete from pending_sign_ups where token_hash = ${hashToken(token)}`);
      return found !== null;
    });
    expect(accepted.filter(Boolean)).toHaveLength(30);
  });
});

describe("deleteExpiredSignUps", () => {
  it("deletes expired links, and keeps the others", async () => {
    const [expired, waiting] = [await invite(), await invite()];
    await sql`
      update pending_sign_ups set expires_at = now() - interval '1 second'
      where email = ${expired.email}`;
    expect(await deleteExpiredSignUps(db)).toBeGreaterThanOrEqual(1);
    const left = await sql`
      select email from pending_sign_ups where email in ${sql([expired.email, waiting.email])}`;
    expect(left.map(({ email }) => email)).toEqual([waiting.email]);
  });
});

describe("redeemSignUpWithPasskey", () => {
  const redeem = (token: string, passkey: SoftPasskey, link = token, database: Db = db) => {
    const answer = passkey.made(signingUpWithPasskey(link));
    return redeemSignUpWithPasskey(database, token, { name: "Grace", answer, site }, visit);
  };

  it("makes a user without a password, logged in by the passkey", async () => {
    const { email, token } = await invite();
    const result = await redeem(token, softPasskey());
    const session = result.ok ? await getSession(db, result.token) : null;
    const [user] = await usersOf(email);
    if (!user) throw new Error("No user was made.");
    expect(session).toMatchObject({ userId: user.id, strong: true });
    const [passkey] = await listPasskeys(db, { userId: user.id });
    const begun = await sql`select begun_with, amr from sessions where user_id = ${user.id}`;
    expect(begun).toMatchObject([{ begun_with: passkey?.id, amr: ["passkey"] }]);
    expect(await sql`select from passwords where user_id = ${user.id}`).toHaveLength(0);
    // The handle that the browser was given before the user existed.
    const handle = handleOfSignUp(site.secret, token).toString("base64url");
    expect(await findHandle(db, user.id)).toBe(handle);
    expect(await eventKinds(user)).toEqual(["signed-up", "logged-in"]);
  });

  it("refuses the challenge of another link, and keeps this link", async () => {
    const [{ email, token }, another] = [await invite(), await invite()];
    const refused = await redeem(token, softPasskey(), another.token);
    expect(refused).toEqual({ ok: false, reason: "incorrect" });
    expect(await findSignUp(db, token)).toEqual({ email });
  });

  it("refuses a passkey that an account has, and keeps the link", async () => {
    const taken = await addSoftPasskey(db, await createUser(db));
    const { email, token } = await invite();
    expect(await redeem(token, taken)).toEqual({ ok: false, reason: "taken" });
    expect(await findSignUp(db, token)).toEqual({ email });
    expect(await usersOf(email)).toEqual([]);
    expect((await redeem(token, softPasskey())).ok).toBe(true);
  });

  it("creates one user per link, also if a password races with a passkey", async () => {
    const { email, token } = await invite();
    const results = await collide<{ ok: boolean }>(
      ...([6, (tx: Db) => tx.execute(query`lock pending_sign_ups in exclusive mode`)] as const),
      (database, index) =>
        index % 2 === 0
          ? redeem(token, softPasskey(), token, database)
          : redeemSignUp(database, token, chosen, visit),
    );
    expect(results.filter(({ ok }) => ok)).toHaveLength(1);
    expect(await usersOf(email)).toHaveLength(1);
  });
});
