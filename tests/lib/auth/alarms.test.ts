import { sql as query } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { redeemNotMe } from "@/lib/auth/alarms";
import { redeemEmailChange, redeemEmailRestore } from "@/lib/auth/email-changes";
import { createLink, type LinkPurpose } from "@/lib/auth/links";
import { redeemPasswordReset } from "@/lib/auth/password-changes";
import { hashToken, newToken } from "@/lib/auth/secrets";
import { getSession } from "@/lib/auth/sessions";
import type { Db } from "@/lib/db/client";
import { db, sql } from "@/tests/support/database";
import {
  createLogin,
  createPerson,
  opensWith,
  type Person,
  password,
} from "@/tests/support/people";
import { collide } from "@/tests/support/races";
import {
  addSessions,
  eventKinds,
  eventRows,
  jobRows,
  linkPurposes,
  mailKinds,
  sessionRows,
  userRow,
} from "@/tests/support/rows";

const client = { ip: "203.0.113.9", userAgent: "Test Browser" };
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

describe("redeemNotMe", () => {
  it("ends every session of the user at once, and nobody else's", async () => {
    const [person, other] = [await createPerson(db), await createPerson(db)];
    const [owner, stranger] = [await createLogin(db, person), await createLogin(db, person)];
    const bystander = await createLogin(db, other);
    await addSessions(person, 60);
    expect(await redeemNotMe(db, await linkFor(person), client)).toEqual({ ok: true });
    expect(await sessionRows(person)).toEqual([]);
    for (const { token } of [owner, stranger]) expect(await getSession(db, token)).toBeNull();
    expect(await getSession(db, bystander.token)).not.toBeNull();
  });

  it("mails no reset to an address that the account was moved to since", async () => {
    const person = await createPerson(db);
    const token = await linkFor(person);
    const moved = `moved-${person.email}`;
    await sql`update users set email = ${moved} where id = ${person.id}`;
    expect(await redeemNotMe(db, token, client)).toEqual({ ok: true });
    expect(await mailKinds({ email: moved })).toEqual([]);
    expect(await mailKinds(person)).toEqual([]);
  });

  it("leaves one event, and a mail to choose a new password", async () => {
    const person = await createPerson(db);
    await redeemNotMe(db, await linkFor(person), client);
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
    await redeemNotMe(db, await linkFor(person), client);
    expect(await linkPurposes(person)).toEqual(["email-restore", "not-me"]);
  });

  it("can only take away: the password and the address stay", async () => {
    const person = await createPerson(db);
    await redeemNotMe(db, await linkFor(person), client);
    expect(await opensWith(db, person, password)).toBe(true);
    expect((await userRow(person))?.email).toBe(person.email);
  });

  it("works once", async () => {
    const person = await createPerson(db);
    const token = await linkFor(person);
    await redeemNotMe(db, token, client);
    await createLogin(db, person);
    const before = await everythingOf(person);
    expect(await redeemNotMe(db, token, client)).toEqual(dead);
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
    expect(await redeemNotMe(db, token, client)).toEqual(dead);
    expect(await everythingOf(person)).toEqual(before);
  });

  it("refuses what is no link", async () => {
    for (const token of [newToken(), "", "\0"])
      expect(await redeemNotMe(db, token, client)).toEqual(dead);
  });

  it("has one success of thirty", async () => {
    const person = await createPerson(db);
    const token = await linkFor(person);
    const lock = (tx: Db) =>
      tx.execute(query`select from links where token_hash = ${hashToken(token)} for update`);
    const answers = await collide(30, lock, (db) => redeemNotMe(db, token, client));
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
        if (n === 0) return redeemNotMe(db, notMe, client);
        if (n === 1) return redeemPasswordReset(db, reset, "kelp otter zinc", client);
        if (n === 2) return redeemEmailChange(db, change, { session: null, client });
        return redeemEmailRestore(db, restore, client);
      });
      expect(answers.some(({ ok }) => ok)).toBe(true);
      expect(await sql`select from users where id = ${person.id}`).toHaveLength(1);
    }
  });
});
