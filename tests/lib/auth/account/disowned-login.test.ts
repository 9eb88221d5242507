import { sql as query } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { redeemDisownLink } from "@/lib/auth/account/disowned-login";
import { redeemEmailChange, redeemEmailRestore } from "@/lib/auth/account/email-change";
import { redeemPasswordReset } from "@/lib/auth/account/password-change";
import { verifyPassword } from "@/lib/auth/credentials/passwords";
import { createLink, type LinkPurpose } from "@/lib/auth/links";
import { findKnownBrowser, rememberAccount } from "@/lib/auth/login/known-browsers";
import { hashToken, newToken } from "@/lib/auth/secrets";
import { createSession } from "@/lib/auth/sessions/create";
import { getSession } from "@/lib/auth/sessions/lookup";
import type { Db } from "@/lib/db/client";
import { db, sql } from "@/tests/support/database";
import { collide } from "@/tests/support/races";
import {
  addApiKey,
  addSessions,
  eventKinds,
  eventRows,
  hasApiKey,
  jobRows,
  linkPurposes,
  mailKinds,
  sessionRows,
  userRow,
} from "@/tests/support/rows";
import {
  createLogin,
  createUser,
  opensWith,
  password,
  type TestUser,
  withPassword,
} from "@/tests/support/users";

const client = { ip: "203.0.113.9", userAgent: "Test Browser" };
const secret = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldC0";
const dead = { ok: false, reason: "dead-link" };

const linkFor = (user: TestUser, purpose: LinkPurpose = "not-me", sentTo = user.email) =>
  createLink(db, { userId: user.id, purpose, sentTo });

async function everythingOf(user: TestUser) {
  return {
    user: await userRow(user),
    sessions: await sessionRows(user),
    links: await linkPurposes(user),
    events: await eventKinds(user),
    jobs: await jobRows(user),
  };
}

describe("redeemDisownLink", () => {
  it("ends every session of the user at once, and no other user's", async () => {
    const [user, other] = [await createUser(db), await createUser(db)];
    const [owner, attacker] = [await createLogin(db, user), await createLogin(db, user)];
    const bystander = await createLogin(db, other);
    await addSessions(user, 60);
    expect(await redeemDisownLink(db, await linkFor(user), client)).toMatchObject({ ok: true });
    expect(await sessionRows(user)).toEqual([]);
    for (const { token } of [owner, attacker]) expect(await getSession(db, token)).toBeNull();
    expect(await getSession(db, bystander.token)).not.toBeNull();
  });

  it("mails no link to set a password to an email that the account has changed to since", async () => {
    const user = await createUser(db);
    const token = await linkFor(user);
    const moved = `moved-${user.email}`;
    await sql`update users set email = ${moved} where id = ${user.id}`;
    expect(await redeemDisownLink(db, token, client)).toMatchObject({ ok: true, mailed: false });
    expect(await mailKinds({ email: moved })).toEqual([]);
    expect(await mailKinds(user)).toEqual([]);
    expect((await userRow(user))?.email).toBe(moved);
  });

  it("reverts a change of email if this mailbox may, and ends every link", async () => {
    const user = await createUser(db);
    const moved = `moved-${user.email}`;
    const change = await linkFor(user, "email-change", moved);
    const notMe = await linkFor(user);
    await redeemEmailChange(db, change, { session: null, client });
    await linkFor(user, "email-restore");
    await linkFor(user, "password-reset", moved);
    expect(await redeemDisownLink(db, notMe, client)).toMatchObject({ ok: true, mailed: true });
    expect((await userRow(user))?.email).toBe(user.email);
    expect(await linkPurposes(user)).toEqual([]);
    expect((await eventKinds(user)).slice(-2).sort()).toEqual(["email-restored", "login-disowned"]);
    expect(await mailKinds({ email: moved })).toEqual([]);
    expect(await mailKinds({ email: user.email })).toContain("password-reset");
  });

  it("ends everything else if another account has the old email by now", async () => {
    const user = await createUser(db);
    const moved = `moved-${user.email}`;
    await sql`update users set email = ${moved} where id = ${user.id}`;
    await createUser(db, { email: user.email });
    const { token } = await createLogin(db, user);
    const notMe = await linkFor(user);
    await linkFor(user, "email-restore");
    expect(await redeemDisownLink(db, notMe, client)).toMatchObject({ ok: true, mailed: false });
    expect(await getSession(db, token)).toBeNull();
    expect((await userRow(user))?.email).toBe(moved);
    expect(await eventKinds(user)).toEqual(["logged-in", "login-disowned"]);
  });

  it("does not revert the email by a restore link that went to another mailbox or has expired", async () => {
    const user = await createUser(db);
    const moved = `moved-${user.email}`;
    await sql`update users set email = ${moved} where id = ${user.id}`;
    await linkFor(user, "email-restore", `third-${user.email}`);
    await linkFor(user, "email-restore");
    await sql`update links set expires_at = now() where user_id = ${user.id} and sent_to = ${user.email}`;
    const notMe = await linkFor(user);
    expect(await redeemDisownLink(db, notMe, client)).toMatchObject({ ok: true, mailed: false });
    expect((await userRow(user))?.email).toBe(moved);
  });

  it("leaves one event, and a mail to choose a new password", async () => {
    const user = await createUser(db);
    await redeemDisownLink(db, await linkFor(user), client);
    const [event, ...more] = await eventRows(user);
    expect(event).toMatchObject({ kind: "login-disowned", ip: client.ip, session_id: null });
    expect(more).toEqual([]);
    const [job, ...others] = await jobRows(user);
    expect(job?.payload).toEqual({ mail: "password-reset", to: user.email });
    expect(others).toEqual([]);
  });

  it("ends the links that the attacker may have requested, and keeps the owner's others", async () => {
    const user = await createUser(db);
    await linkFor(user, "email-change", "attacker@example.com");
    await linkFor(user, "email-restore");
    await linkFor(user, "not-me");
    await redeemDisownLink(db, await linkFor(user), client);
    expect(await linkPurposes(user)).toEqual(["email-restore", "not-me"]);
  });

  it("retires the password, and only the mailed link sets a new one", async () => {
    const [user, other] = [await createUser(db), await createUser(db)];
    await redeemDisownLink(db, await linkFor(user), client);
    expect(await opensWith(db, user, password)).toBe(false);
    expect(await opensWith(db, other, password)).toBe(true);
    const reset = await linkFor(user, "password-reset");
    await redeemPasswordReset(db, reset, withPassword("kelp otter zinc"), client);
    expect(await opensWith(db, user, "kelp otter zinc")).toBe(true);
  });

  it("revokes every API key of the user, and no other user's", async () => {
    const [user, other] = [await createUser(db), await createUser(db)];
    await addApiKey(user);
    await addApiKey(other);
    await redeemDisownLink(db, await linkFor(user), client);
    expect(await hasApiKey(user)).toBe(false);
    expect(await hasApiKey(other)).toBe(true);
    expect((await eventRows(user)).at(-1)?.detail).toEqual({ apiKeys: 1 });
  });

  it("makes every browser unknown except the one where the button was pressed", async () => {
    const user = await createUser(db);
    const attackers = rememberAccount("", { userId: user.id, browserEpoch: 1 }, secret);
    expect(await findKnownBrowser(db, attackers, user.email, secret)).not.toBeNull();
    const answer = await redeemDisownLink(db, await linkFor(user), client);
    expect(await findKnownBrowser(db, attackers, user.email, secret)).toBeNull();
    const owners = answer.ok ? rememberAccount("", answer.account, secret) : "";
    expect(await findKnownBrowser(db, owners, user.email, secret)).not.toBeNull();
  });

  it("refuses a login that checked the password before", async () => {
    const user = await createUser(db);
    const proof = await verifyPassword(db, user.email, password);
    await redeemDisownLink(db, await linkFor(user), client);
    const late = await createSession(db, {
      ...{ userId: user.id, authVersion: proof?.authVersion ?? 0, amr: ["pwd"] },
      ...{ persistent: true, presented: null, client },
    });
    expect(late).toBeNull();
    expect(await sessionRows(user)).toEqual([]);
  });

  it("works once", async () => {
    const user = await createUser(db);
    const token = await linkFor(user);
    await redeemDisownLink(db, token, client);
    await createLogin(db, user);
    const before = await everythingOf(user);
    expect(await redeemDisownLink(db, token, client)).toEqual(dead);
    expect(await everythingOf(user)).toEqual(before);
  });

  it.each([
    ["an expired link", query`update links set expires_at = now() where user_id = `],
    ["another purpose", query`update links set purpose = 'email-restore' where user_id = `],
    ["a suspended user", query`update users set status = 'suspended' where id = `],
  ])("refuses %s, and changes no row", async (_, change) => {
    const user = await createUser(db);
    await createLogin(db, user);
    const token = await linkFor(user);
    await db.execute(query`${change}${user.id}`);
    const before = await everythingOf(user);
    expect(await redeemDisownLink(db, token, client)).toEqual(dead);
    expect(await everythingOf(user)).toEqual(before);
  });

  it("refuses a token that is no link", async () => {
    for (const token of [newToken(), "", "\0"])
      expect(await redeemDisownLink(db, token, client)).toEqual(dead);
  });

  it("succeeds once of thirty concurrent uses", async () => {
    const user = await createUser(db);
    const token = await linkFor(user);
    const lock = (tx: Db) =>
      tx.execute(query`select from links where token_hash = ${hashToken(token)} for update`);
    const answers = await collide(30, lock, (db) => redeemDisownLink(db, token, client));
    expect(answers.filter(({ ok }) => ok)).toHaveLength(1);
    expect(await eventKinds(user)).toEqual(["login-disowned"]);
    expect(await mailKinds(user)).toEqual(["password-reset"]);
  });
});

describe("every link of one user, used at the same moment", () => {
  it("does not deadlock", async () => {
    for (let round = 0; round < 10; round++) {
      const user = await createUser(db);
      const moved = `moved-${user.email}`;
      const [notMe, reset, change, restore] = [
        await linkFor(user),
        await linkFor(user, "password-reset"),
        await linkFor(user, "email-change", moved),
        await linkFor(user, "email-restore"),
      ];
      const lock = (tx: Db) =>
        tx.execute(query`select from users where id = ${user.id} for update`);
      const answers = await collide<{ ok: boolean }>(4, lock, (db, n) => {
        if (n === 0) return redeemDisownLink(db, notMe, client);
        if (n === 1) return redeemPasswordReset(db, reset, withPassword("kelp otter zinc"), client);
        if (n === 2) return redeemEmailChange(db, change, { session: null, client });
        return redeemEmailRestore(db, restore, client);
      });
      expect(answers.some(({ ok }) => ok)).toBe(true);
      expect(await sql`select from users where id = ${user.id}`).toHaveLength(1);
    }
  });
});
