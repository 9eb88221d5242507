import { sql as query } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { redeemDisownLink } from "@/lib/auth/account/disowned-login";
import { redeemEmailChange, redeemEmailRestore } from "@/lib/auth/account/email-change";
import { redeemPasswordReset } from "@/lib/auth/account/password-change";
import { verifyPassword } from "@/lib/auth/credentials/passwords";
import { createLink, type LinkPurpose } from "@/lib/auth/links";
import { findKnownDevice, rememberAccount } from "@/lib/auth/login/known-devices";
import { hashToken, newToken } from "@/lib/auth/secrets";
import { createSession } from "@/lib/auth/sessions/create";
import { getSession } from "@/lib/auth/sessions/lookup";
import type { Db } from "@/lib/db/client";
import { db, sql } from "@/tests/support/database";
import {
  createLogin,
  createPerson,
  opensWith,
  type Person,
  password,
  withPassword,
} from "@/tests/support/people";
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

const client = { ip: "203.0.113.9", userAgent: "Test Browser" };
const secret = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldC0";
const dead = { ok: false, reason: "dead-link" };

const linkFor = (person: Person, purpose: LinkPurpose = "not-me", sentTo = person.email) =>
  createLink(db, { userId: person.id, purpose, sentTo });

async function everythingOf(person: Person) {
  return {
    user: await userRow(person),
    sessions: await sessionRows(person),
    links: await linkPurposes(person),
    events: await eventKinds(person),
    jobs: await jobRows(person),
  };
}

describe("redeemDisownLink", () => {
  it("ends every session of the user at once, and nobody else's", async () => {
    const [person, other] = [await createPerson(db), await createPerson(db)];
    const [owner, stranger] = [await createLogin(db, person), await createLogin(db, person)];
    const bystander = await createLogin(db, other);
    await addSessions(person, 60);
    expect(await redeemDisownLink(db, await linkFor(person), client)).toMatchObject({ ok: true });
    expect(await sessionRows(person)).toEqual([]);
    for (const { token } of [owner, stranger]) expect(await getSession(db, token)).toBeNull();
    expect(await getSession(db, bystander.token)).not.toBeNull();
  });

  it("mails no link to set a password to an email that the account was moved to since", async () => {
    const person = await createPerson(db);
    const token = await linkFor(person);
    const moved = `moved-${person.email}`;
    await sql`update users set email = ${moved} where id = ${person.id}`;
    expect(await redeemDisownLink(db, token, client)).toMatchObject({ ok: true, mailed: false });
    expect(await mailKinds({ email: moved })).toEqual([]);
    expect(await mailKinds(person)).toEqual([]);
    expect((await userRow(person))?.email).toBe(moved);
  });

  it("takes a change of email back where this mailbox can, and ends every link", async () => {
    const person = await createPerson(db);
    const moved = `moved-${person.email}`;
    const change = await linkFor(person, "email-change", moved);
    const notMe = await linkFor(person);
    await redeemEmailChange(db, change, { session: null, client });
    await linkFor(person, "email-restore");
    await linkFor(person, "password-reset", moved);
    expect(await redeemDisownLink(db, notMe, client)).toMatchObject({ ok: true, mailed: true });
    expect((await userRow(person))?.email).toBe(person.email);
    expect(await linkPurposes(person)).toEqual([]);
    expect((await eventKinds(person)).slice(-2).sort()).toEqual([
      "email-restored",
      "login-disowned",
    ]);
    expect(await mailKinds({ email: moved })).toEqual([]);
    expect(await mailKinds({ email: person.email })).toContain("password-reset");
  });

  it("ends all else where another account has the old email by now", async () => {
    const person = await createPerson(db);
    const moved = `moved-${person.email}`;
    await sql`update users set email = ${moved} where id = ${person.id}`;
    await createPerson(db, { email: person.email });
    const { token } = await createLogin(db, person);
    const notMe = await linkFor(person);
    await linkFor(person, "email-restore");
    expect(await redeemDisownLink(db, notMe, client)).toMatchObject({ ok: true, mailed: false });
    expect(await getSession(db, token)).toBeNull();
    expect((await userRow(person))?.email).toBe(moved);
    expect(await eventKinds(person)).toEqual(["logged-in", "login-disowned"]);
  });

  it("does not take the email back by a link to restore that went to another mailbox, or ended", async () => {
    const person = await createPerson(db);
    const moved = `moved-${person.email}`;
    await sql`update users set email = ${moved} where id = ${person.id}`;
    await linkFor(person, "email-restore", `third-${person.email}`);
    await linkFor(person, "email-restore");
    await sql`update links set expires_at = now() where user_id = ${person.id} and sent_to = ${person.email}`;
    const notMe = await linkFor(person);
    expect(await redeemDisownLink(db, notMe, client)).toMatchObject({ ok: true, mailed: false });
    expect((await userRow(person))?.email).toBe(moved);
  });

  it("leaves one event, and a mail to choose a new password", async () => {
    const person = await createPerson(db);
    await redeemDisownLink(db, await linkFor(person), client);
    const [event, ...more] = await eventRows(person);
    expect(event).toMatchObject({ kind: "login-disowned", ip: client.ip, session_id: null });
    expect(more).toEqual([]);
    const [job, ...others] = await jobRows(person);
    expect(job?.payload).toEqual({ mail: "password-reset", to: person.email });
    expect(others).toEqual([]);
  });

  it("ends the links that the stranger may have asked for, and not the owner's others", async () => {
    const person = await createPerson(db);
    await linkFor(person, "email-change", "stranger@example.com");
    await linkFor(person, "email-restore");
    await linkFor(person, "not-me");
    await redeemDisownLink(db, await linkFor(person), client);
    expect(await linkPurposes(person)).toEqual(["email-restore", "not-me"]);
  });

  it("retires the password, and only the mailed link sets a new one", async () => {
    const [person, other] = [await createPerson(db), await createPerson(db)];
    await redeemDisownLink(db, await linkFor(person), client);
    expect(await opensWith(db, person, password)).toBe(false);
    expect(await opensWith(db, other, password)).toBe(true);
    const reset = await linkFor(person, "password-reset");
    await redeemPasswordReset(db, reset, withPassword("kelp otter zinc"), client);
    expect(await opensWith(db, person, "kelp otter zinc")).toBe(true);
  });

  it("revokes every API key of the user, and no other user's", async () => {
    const [person, other] = [await createPerson(db), await createPerson(db)];
    await addApiKey(person);
    await addApiKey(other);
    await redeemDisownLink(db, await linkFor(person), client);
    expect(await hasApiKey(person)).toBe(false);
    expect(await hasApiKey(other)).toBe(true);
    expect((await eventRows(person)).at(-1)?.detail).toEqual({ apiKeys: 1 });
  });

  it("makes every browser unknown, and knows the one where the button was pressed", async () => {
    const person = await createPerson(db);
    const attackers = rememberAccount("", { userId: person.id, deviceEpoch: 1 }, secret);
    expect(await findKnownDevice(db, attackers, person.email, secret)).not.toBeNull();
    const answer = await redeemDisownLink(db, await linkFor(person), client);
    expect(await findKnownDevice(db, attackers, person.email, secret)).toBeNull();
    const owners = answer.ok ? rememberAccount("", answer.account, secret) : "";
    expect(await findKnownDevice(db, owners, person.email, secret)).not.toBeNull();
  });

  it("lets in no login that checked the password before", async () => {
    const person = await createPerson(db);
    const proof = await verifyPassword(db, person.email, password);
    await redeemDisownLink(db, await linkFor(person), client);
    const late = await createSession(db, {
      ...{ userId: person.id, authVersion: proof?.authVersion ?? 0, amr: ["pwd"] },
      ...{ persistent: true, presented: null, client },
    });
    expect(late).toBeNull();
    expect(await sessionRows(person)).toEqual([]);
  });

  it("works once", async () => {
    const person = await createPerson(db);
    const token = await linkFor(person);
    await redeemDisownLink(db, token, client);
    await createLogin(db, person);
    const before = await everythingOf(person);
    expect(await redeemDisownLink(db, token, client)).toEqual(dead);
    expect(await everythingOf(person)).toEqual(before);
  });

  it.each([
    ["an expired link", query`update links set expires_at = now() where user_id = `],
    ["another purpose", query`update links set purpose = 'email-restore' where user_id = `],
    ["a suspended user", query`update users set status = 'suspended' where id = `],
  ])("refuses %s, and the rows stand", async (_, change) => {
    const person = await createPerson(db);
    await createLogin(db, person);
    const token = await linkFor(person);
    await db.execute(query`${change}${person.id}`);
    const before = await everythingOf(person);
    expect(await redeemDisownLink(db, token, client)).toEqual(dead);
    expect(await everythingOf(person)).toEqual(before);
  });

  it("refuses what is no link", async () => {
    for (const token of [newToken(), "", "\0"])
      expect(await redeemDisownLink(db, token, client)).toEqual(dead);
  });

  it("has one success of thirty", async () => {
    const person = await createPerson(db);
    const token = await linkFor(person);
    const lock = (tx: Db) =>
      tx.execute(query`select from links where token_hash = ${hashToken(token)} for update`);
    const answers = await collide(30, lock, (db) => redeemDisownLink(db, token, client));
    expect(answers.filter(({ ok }) => ok)).toHaveLength(1);
    expect(await eventKinds(person)).toEqual(["login-disowned"]);
    expect(await mailKinds(person)).toEqual(["password-reset"]);
  });
});

describe("every link of one user, used at the same moment", () => {
  it("deadlocks nobody", async () => {
    for (let round = 0; round < 10; round++) {
      const person = await createPerson(db);
      const moved = `moved-${person.email}`;
      const [notMe, reset, change, restore] = [
        await linkFor(person),
        await linkFor(person, "password-reset"),
        await linkFor(person, "email-change", moved),
        await linkFor(person, "email-restore"),
      ];
      const lock = (tx: Db) =>
        tx.execute(query`select from users where id = ${person.id} for update`);
      const answers = await collide<{ ok: boolean }>(4, lock, (db, n) => {
        if (n === 0) return redeemDisownLink(db, notMe, client);
        if (n === 1) return redeemPasswordReset(db, reset, withPassword("kelp otter zinc"), client);
        if (n === 2) return redeemEmailChange(db, change, { session: null, client });
        return redeemEmailRestore(db, restore, client);
      });
      expect(answers.some(({ ok }) => ok)).toBe(true);
      expect(await sql`select from users where id = ${person.id}`).toHaveLength(1);
    }
  });
});
