import { describe, expect, it } from "vitest";
import { unknownClient } from "@/lib/audit";
import { deleteAccount } from "@/lib/auth/account/deletion";
import { redeemPasswordReset } from "@/lib/auth/account/password-change";
import { createLink, type LinkPurpose } from "@/lib/auth/links";
import { needsConfirmedBrowser } from "@/lib/auth/login/attempts";
import { redeemBrowserLink } from "@/lib/auth/login/browser-confirmations";
import { logInPolicy } from "@/lib/auth/policy";
import { newToken } from "@/lib/auth/secrets";
import type { Db } from "@/lib/db/client";
import { db, sql } from "@/tests/support/database";
import {
  createLogin,
  createPerson,
  failLogIns,
  newPassword,
  type Person,
  withPassword,
} from "@/tests/support/people";
import { collide } from "@/tests/support/races";
import { eventKinds, linkPurposes, sessionRows } from "@/tests/support/rows";

const dead = { ok: false, reason: "dead-link" };

const linkFor = ({ id, email }: Person, purpose: LinkPurpose = "confirm-browser") =>
  createLink(db, { userId: id, purpose, sentTo: email });

/** A user at whose account too many logins have failed. */
async function createBlocked(): Promise<Person> {
  const person = await createPerson(db);
  await failLogIns(db, person.email, logInPolicy.failures);
  return person;
}

describe("redeemBrowserLink", () => {
  it("lets passwords be tried again, records it, and gives no session", async () => {
    const person = await createBlocked();
    const answer = await redeemBrowserLink(db, await linkFor(person), unknownClient);
    expect(answer).toEqual({ ok: true, account: { userId: person.id, deviceEpoch: 1 } });
    expect(await needsConfirmedBrowser(db, person.email)).toBe(false);
    expect(await sessionRows(person)).toEqual([]);
    expect(await linkPurposes(person)).toEqual([]);
    expect(await eventKinds(person)).toEqual(["browser-confirmed"]);
  });

  it("refuses what is no such link, and the failures stand", async () => {
    const person = await createBlocked();
    const reset = await linkFor(person, "password-reset");
    const expired = await linkFor(person);
    await sql`update links set expires_at = now() where purpose = 'confirm-browser'`;
    for (const token of [reset, expired, newToken(), "", "\0"])
      expect(await redeemBrowserLink(db, token, unknownClient)).toEqual(dead);
    expect(await needsConfirmedBrowser(db, person.email)).toBe(true);
    expect(await linkPurposes(person)).toContain("password-reset");
    expect(await eventKinds(person)).toEqual([]);
  });

  it("refuses a link that went to an email which is no longer the user's", async () => {
    const person = await createBlocked();
    const token = await linkFor(person);
    const moved = `moved-${person.email}`;
    await sql`update users set email = ${moved} where id = ${person.id}`;
    await failLogIns(db, moved, logInPolicy.failures);
    expect(await redeemBrowserLink(db, token, unknownClient)).toEqual(dead);
    expect(await needsConfirmedBrowser(db, moved)).toBe(true);
    expect(await needsConfirmedBrowser(db, person.email)).toBe(true);
    expect(await eventKinds(person)).toEqual([]);
  });

  it("refuses a suspended user's, and the link stands", async () => {
    const person = await createBlocked();
    const token = await linkFor(person);
    await sql`update users set status = 'suspended' where id = ${person.id}`;
    expect(await redeemBrowserLink(db, token, unknownClient)).toEqual(dead);
    expect(await needsConfirmedBrowser(db, person.email)).toBe(true);
    expect(await linkPurposes(person)).toEqual(["confirm-browser"]);
  });

  it("works once of thirty simultaneous uses", async () => {
    const person = await createBlocked();
    const token = await linkFor(person);
    const lock = (tx: Db) => tx.execute(`select from users where id = '${person.id}' for update`);
    const answers = await collide(30, lock, (db) => redeemBrowserLink(db, token, unknownClient));
    expect(answers.filter(({ ok }) => ok)).toHaveLength(1);
    expect(await eventKinds(person)).toEqual(["browser-confirmed"]);
  });
});

describe("the failures at an account", () => {
  it("end with a password reset, and with no other account's", async () => {
    const [person, other] = [await createBlocked(), await createBlocked()];
    const token = await linkFor(person, "password-reset");
    expect((await redeemPasswordReset(db, token, withPassword("short"), unknownClient)).ok).toBe(
      false,
    );
    expect(await needsConfirmedBrowser(db, person.email)).toBe(true);
    expect(
      (await redeemPasswordReset(db, token, withPassword(newPassword), unknownClient)).ok,
    ).toBe(true);
    expect(await needsConfirmedBrowser(db, person.email)).toBe(false);
    expect(await needsConfirmedBrowser(db, other.email)).toBe(true);
  });

  it("go with the account: their key is a hash of its email", async () => {
    const person = await createBlocked();
    const { session } = await createLogin(db, person);
    expect(await deleteAccount(db, session)).toEqual({ ok: true });
    const rows = await sql`select from log_in_attempts
      where email_hash = sha256(${person.email}::text::bytea)`;
    expect(rows).toHaveLength(0);
  });
});
