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
import { collide } from "@/tests/support/races";
import { eventKinds, linkPurposes, sessionRows } from "@/tests/support/rows";
import {
  createLogin,
  createUser,
  failLogIns,
  newPassword,
  type TestUser,
  withPassword,
} from "@/tests/support/users";

const dead = { ok: false, reason: "dead-link" };

const linkFor = ({ id, email }: TestUser, purpose: LinkPurpose = "confirm-browser") =>
  createLink(db, { userId: id, purpose, sentTo: email });

/** Creates a user for whose account too many logins have failed. */
async function createBlocked(): Promise<TestUser> {
  const user = await createUser(db);
  await failLogIns(db, user.email, logInPolicy.failures);
  return user;
}

describe("redeemBrowserLink", () => {
  it("allows password logins again, records it, and creates no session", async () => {
    const user = await createBlocked();
    const answer = await redeemBrowserLink(db, await linkFor(user), unknownClient);
    expect(answer).toEqual({ ok: true, account: { userId: user.id, browserEpoch: 1 } });
    expect(await needsConfirmedBrowser(db, user.email)).toBe(false);
    expect(await sessionRows(user)).toEqual([]);
    expect(await linkPurposes(user)).toEqual([]);
    expect(await eventKinds(user)).toEqual(["browser-confirmed"]);
  });

  it("refuses a token that is no such link, and keeps the failures", async () => {
    const user = await createBlocked();
    const reset = await linkFor(user, "password-reset");
    const expired = await linkFor(user);
    await sql`update links set expires_at = now() where purpose = 'confirm-browser'`;
    for (const token of [reset, expired, newToken(), "", "\0"])
      expect(await redeemBrowserLink(db, token, unknownClient)).toEqual(dead);
    expect(await needsConfirmedBrowser(db, user.email)).toBe(true);
    expect(await linkPurposes(user)).toContain("password-reset");
    expect(await eventKinds(user)).toEqual([]);
  });

  it("refuses a link that went to an email which is no longer the user's", async () => {
    const user = await createBlocked();
    const token = await linkFor(user);
    const moved = `moved-${user.email}`;
    await sql`update users set email = ${moved} where id = ${user.id}`;
    await failLogIns(db, moved, logInPolicy.failures);
    expect(await redeemBrowserLink(db, token, unknownClient)).toEqual(dead);
    expect(await needsConfirmedBrowser(db, moved)).toBe(true);
    expect(await needsConfirmedBrowser(db, user.email)).toBe(true);
    expect(await eventKinds(user)).toEqual([]);
  });

  it("refuses the link of a suspended user, and keeps it", async () => {
    const user = await createBlocked();
    const token = await linkFor(user);
    await sql`update users set status = 'suspended' where id = ${user.id}`;
    expect(await redeemBrowserLink(db, token, unknownClient)).toEqual(dead);
    expect(await needsConfirmedBrowser(db, user.email)).toBe(true);
    expect(await linkPurposes(user)).toEqual(["confirm-browser"]);
  });

  it("works once of thirty simultaneous uses", async () => {
    const user = await createBlocked();
    const token = await linkFor(user);
    const lock = (tx: Db) => tx.execute(`select from users where id = '${user.id}' for update`);
    const answers = await collide(30, lock, (db) => redeemBrowserLink(db, token, unknownClient));
    expect(answers.filter(({ ok }) => ok)).toHaveLength(1);
    expect(await eventKinds(user)).toEqual(["browser-confirmed"]);
  });
});

describe("the failures of an account", () => {
  it("are reset by a password reset of the account, and not of another account", async () => {
    const [user, other] = [await createBlocked(), await createBlocked()];
    const token = await linkFor(user, "password-reset");
    expect((await redeemPasswordReset(db, token, withPassword("short"), unknownClient)).ok).toBe(
      false,
    );
    expect(await needsConfirmedBrowser(db, user.email)).toBe(true);
    expect(
      (await redeemPasswordReset(db, token, withPassword(newPassword), unknownClient)).ok,
    ).toBe(true);
    expect(await needsConfirmedBrowser(db, user.email)).toBe(false);
    expect(await needsConfirmedBrowser(db, other.email)).toBe(true);
  });

  it("are deleted with the account, although their key is a hash of its email", async () => {
    const user = await createBlocked();
    const { session } = await createLogin(db, user);
    expect(await deleteAccount(db, session)).toEqual({ ok: true });
    const rows = await sql`select from log_in_attempts
      where email_hash = sha256(${user.email}::text::bytea)`;
    expect(rows).toHaveLength(0);
  });
});
