import { randomUUID } from "node:crypto";
import { sql as query } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import {
  redeemEmailChange,
  redeemEmailRestore,
  requestEmailChange,
} from "@/lib/auth/account/email-change";
import { createLink, findLink, type LinkPurpose } from "@/lib/auth/links";
import { findKnownBrowser, rememberAccount } from "@/lib/auth/login/known-browsers";
import { renderMail } from "@/lib/auth/mails/jobs";
import type { MailJob } from "@/lib/auth/mails/registry";
import { hashToken, newToken } from "@/lib/auth/secrets";
import { getSession, type Session } from "@/lib/auth/sessions/lookup";
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
  linkRows,
  sessionRows,
  userRow,
  wholeDatabase,
} from "@/tests/support/rows";
import { createLogin, createUser, opensWith, password, type TestUser } from "@/tests/support/users";

const client = { ip: "203.0.113.9", userAgent: "Test Browser" };
const secret = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldC0";
const anonymous = { session: null, client };
const newAddress = () => `${randomUUID()}@new.example`;

const linkFor = (user: TestUser, purpose: LinkPurpose, sentTo: string) =>
  createLink(db, { userId: user.id, purpose, sentTo });

/** Changes the email completely. Returns the token of the link mailed to the old email. */
async function move(user: TestUser, to: string, session: Session | null = null): Promise<string> {
  const from = (await userRow(user))?.email;
  const answer = await redeemEmailChange(db, await linkFor(user, "email-change", to), {
    ...{ session, client },
  });
  if (!answer.ok) throw new Error(answer.reason);
  const job = (await jobRows(user)).find(({ payload }) => payload.to === from);
  const mail = await renderMail(db, job?.payload as MailJob, "https://x.example"); // a mail's job
  return `${/restore-email\/(\S+)/.exec(`${mail?.text}`)?.[1]}`;
}

async function everythingOf(user: TestUser) {
  return {
    user: await userRow(user),
    sessions: await sessionRows(user),
    links: await linkRows(user),
    events: await eventKinds(user),
    jobs: await jobRows(user),
  };
}

describe("requestEmailChange", () => {
  it("records the request without the new email, and queues its mail", async () => {
    const user = await createUser(db);
    const { session } = await createLogin(db, user);
    await requestEmailChange(db, session, newAddress());
    const event = (await eventRows(user)).at(-1);
    expect(event).toMatchObject({ kind: "email-change-requested", session_id: session.id });
    expect(event?.detail).toEqual({});
    expect((await jobRows(user)).map(({ payload }) => payload.mail)).toEqual(["email-change"]);
  });

  it("records and mails nothing for a session that has ended", async () => {
    const user = await createUser(db);
    const { session } = await createLogin(db, user);
    await sql`update users set auth_version = auth_version + 1 where id = ${user.id}`;
    await requestEmailChange(db, session, newAddress());
    expect(await eventKinds(user)).toEqual(["logged-in"]);
    expect(await jobRows(user)).toEqual([]);
  });
});

describe("redeemEmailChange", () => {
  it("sets the user's email to the one that the link was sent to", async () => {
    const [user, to] = [await createUser(db), newAddress()];
    const token = await linkFor(user, "email-change", to);
    expect(await redeemEmailChange(db, token, anonymous)).toEqual({ ok: true, kept: false });
    expect(await userRow(user)).toEqual({ email: to, auth_version: 2 });
  });

  it("keeps the session that opened the link, and ends the user's others", async () => {
    const [user, otherUser] = [await createUser(db), await createUser(db)];
    const [here, there] = [await createLogin(db, user), await createLogin(db, user)];
    const theirs = await createLogin(db, otherUser);
    await addSessions(user, 60);
    const token = await linkFor(user, "email-change", newAddress());
    const answer = await redeemEmailChange(db, token, { session: here.session, client });
    expect(answer).toEqual({ ok: true, kept: true });
    expect((await sessionRows(user)).map(({ id }) => id)).toEqual([here.session.id]);
    expect(await getSession(db, here.token)).toMatchObject({ id: here.session.id });
    expect(await getSession(db, there.token)).toBeNull();
    expect(await getSession(db, theirs.token)).not.toBeNull();
  });

  it("keeps another user's session that opened the link, and ends the user's own", async () => {
    const [user, other] = [await createUser(db), await createUser(db)];
    const [mine, theirs] = [await createLogin(db, user), await createLogin(db, other)];
    const token = await linkFor(user, "email-change", newAddress());
    const answer = await redeemEmailChange(db, token, { session: theirs.session, client });
    expect(answer).toEqual({ ok: true, kept: false });
    expect(await getSession(db, mine.token)).toBeNull();
    expect((await getSession(db, theirs.token))?.user.email).toBe(other.email);
  });

  it("does not revive a session that has ended meanwhile", async () => {
    const user = await createUser(db);
    const { session, token: old } = await createLogin(db, user);
    await sql`update users set auth_version = auth_version + 1 where id = ${user.id}`;
    const token = await linkFor(user, "email-change", newAddress());
    const answer = await redeemEmailChange(db, token, { session, client });
    expect(answer).toEqual({ ok: true, kept: false });
    expect(await getSession(db, old)).toBeNull();
  });

  it("revokes every API key of the user, and leaves the password and the known browsers", async () => {
    const [user, other] = [await createUser(db), await createUser(db)];
    await addApiKey(user);
    await addApiKey(other);
    const known = rememberAccount("", { userId: user.id, browserEpoch: 1 }, secret);
    const to = newAddress();
    await redeemEmailChange(db, await linkFor(user, "email-change", to), anonymous);
    expect(await hasApiKey(user)).toBe(false);
    expect(await hasApiKey(other)).toBe(true);
    expect((await eventRows(user)).at(-1)?.detail).toEqual({ apiKeys: 1 });
    expect(await opensWith(db, { ...user, email: to }, password)).toBe(true);
    expect(await findKnownBrowser(db, known, to, secret)).not.toBeNull();
  });

  it("ends the open links, except those that undo an attack", async () => {
    const user = await createUser(db);
    for (const purpose of ["password-reset", "email-restore", "not-me"] as const)
      await linkFor(user, purpose, user.email);
    await redeemEmailChange(db, await linkFor(user, "email-change", newAddress()), anonymous);
    expect(await linkPurposes(user)).toEqual(["email-restore", "not-me"]);
  });

  it("records one event without an email, and queues a mail to the old email without its link", async () => {
    const [user, to] = [await createUser(db), newAddress()];
    await redeemEmailChange(db, await linkFor(user, "email-change", to), anonymous);
    const [event, ...more] = await eventRows(user);
    expect(event).toMatchObject({ kind: "email-changed", ip: client.ip, detail: { apiKeys: 0 } });
    expect(more).toEqual([]);
    const [job, ...others] = await jobRows(user);
    expect(job?.payload).toMatchObject({ mail: "email-changed", to: user.email, client });
    expect(others).toEqual([]);
    expect(await linkPurposes(user)).toEqual([]);
  });

  it("works once", async () => {
    const user = await createUser(db);
    const token = await linkFor(user, "email-change", newAddress());
    await redeemEmailChange(db, token, anonymous);
    const before = await everythingOf(user);
    const again = await redeemEmailChange(db, token, anonymous);
    expect(again).toEqual({ ok: false, reason: "dead-link" });
    expect(await everythingOf(user)).toEqual(before);
  });

  it("reports that another account uses the email now, and keeps the link", async () => {
    const [user, other] = [await createUser(db), await createUser(db)];
    const { session } = await createLogin(db, user);
    const token = await linkFor(user, "email-change", other.email);
    const before = [await everythingOf(user), await everythingOf(other)];
    const answer = await redeemEmailChange(db, token, { session, client });
    expect(answer).toEqual({ ok: false, reason: "taken" });
    expect([await everythingOf(user), await everythingOf(other)]).toEqual(before);
    await sql`delete from users where id = ${other.id}`;
    expect(await redeemEmailChange(db, token, anonymous)).toMatchObject({ ok: true });
  });

  it.each([
    ["an expired link", query`update links set expires_at = now() where user_id = `],
    ["another purpose", query`update links set purpose = 'password-reset' where user_id = `],
    ["a suspended user", query`update users set status = 'suspended' where id = `],
  ])("refuses %s, and changes no row", async (_, change) => {
    const user = await createUser(db);
    await createLogin(db, user);
    const token = await linkFor(user, "email-change", newAddress());
    await db.execute(query`${change}${user.id}`);
    const before = await everythingOf(user);
    const answer = await redeemEmailChange(db, token, anonymous);
    expect(answer).toEqual({ ok: false, reason: "dead-link" });
    expect(await everythingOf(user)).toEqual(before);
  });

  it("refuses a token that is no link", async () => {
    for (const token of [newToken(), "", "\0"])
      for (const redeem of [
        redeemEmailChange(db, token, anonymous),
        redeemEmailRestore(db, token, client),
      ])
        expect(await redeem).toEqual({ ok: false, reason: "dead-link" });
  });
});

describe("redeemEmailChange, many at once", () => {
  const lockUser = (user: TestUser) => (tx: Db) =>
    tx.execute(query`select from users where id = ${user.id} for update`);

  it("succeeds once of thirty uses of one link", async () => {
    const user = await createUser(db);
    const token = await linkFor(user, "email-change", newAddress());
    const answers = await collide(30, lockUser(user), (db) =>
      redeemEmailChange(db, token, anonymous),
    );
    expect(answers.filter(({ ok }) => ok)).toHaveLength(1);
    expect(await eventKinds(user)).toEqual(["email-changed"]);
    expect(await jobRows(user)).toHaveLength(1);
  });

  it("gives the email to one of two users, and keeps the other's link", async () => {
    const [to, one, other] = [newAddress(), await createUser(db), await createUser(db)];
    const tokens = [
      await linkFor(one, "email-change", to),
      await linkFor(other, "email-change", to),
    ];
    const holdBoth = async (tx: Db) => {
      await lockUser(one)(tx);
      await lockUser(other)(tx);
    };
    const answers = await collide(2, holdBoth, (db, n) =>
      redeemEmailChange(db, `${tokens[n]}`, anonymous),
    );
    expect(answers).toContainEqual({ ok: true, kept: false });
    expect(answers).toContainEqual({ ok: false, reason: "taken" });
    const late = answers[0]?.ok ? 1 : 0;
    expect(await findLink(db, `${tokens[late]}`, "email-change")).not.toBeNull();
    const [loser] = late === 1 ? [other] : [one];
    expect(await userRow(loser)).toEqual({ email: loser.email, auth_version: 1 });
    expect(await sql`select from users where email = ${to}`).toHaveLength(1);
  });

  // Proves that the test above can fail: checks whether the email is free, then writes it.
  it("would be refused only by the unique index if it checked before writing", async () => {
    const [to, one, other] = [newAddress(), await createUser(db), await createUser(db)];
    const isFree = async (db: Db) =>
      (await db.execute(query`select from users where email = ${to}`)).length === 0;
    const found = await Promise.all([isFree(db), isFree(db)]);
    expect(found).toEqual([true, true]);
    await sql`update users set email = ${to} where id = ${one.id}`;
    await expect(sql`update users set email = ${to} where id = ${other.id}`).rejects.toThrow();
  });
});

describe("redeemEmailRestore", () => {
  it("restores the email and ends every session, the attacker's included", async () => {
    const user = await createUser(db);
    const attacker = await createLogin(db, user);
    const token = await move(user, newAddress(), attacker.session);
    expect(await getSession(db, attacker.token)).not.toBeNull();
    expect(await redeemEmailRestore(db, token, client)).toMatchObject({ ok: true });
    expect((await userRow(user))?.email).toBe(user.email);
    expect(await sessionRows(user)).toEqual([]);
    expect((await eventKinds(user)).slice(-2)).toEqual(["email-changed", "email-restored"]);
  });

  it("retires the password that the attacker knows, and revokes the API keys", async () => {
    const user = await createUser(db);
    const attacker = await createLogin(db, user);
    const token = await move(user, newAddress(), attacker.session);
    await addApiKey(user);
    await redeemEmailRestore(db, token, client);
    expect(await opensWith(db, user, password)).toBe(false);
    expect(await hasApiKey(user)).toBe(false);
  });

  it("makes every browser unknown, and knows the one where the link was used", async () => {
    const user = await createUser(db);
    const attackers = rememberAccount("", { userId: user.id, browserEpoch: 1 }, secret);
    const answer = await redeemEmailRestore(db, await move(user, newAddress()), client);
    expect(await findKnownBrowser(db, attackers, user.email, secret)).toBeNull();
    const owners = answer.ok ? rememberAccount("", answer.account, secret) : "";
    expect(await findKnownBrowser(db, owners, user.email, secret)).not.toBeNull();
  });

  it("mails a link to choose a new password to the restored email", async () => {
    const user = await createUser(db);
    const token = await move(user, newAddress());
    await redeemEmailRestore(db, token, client);
    const mails = (await jobRows(user)).map(({ payload }) => [payload.mail, payload.to]);
    expect(mails).toContainEqual(["password-reset", user.email]);
  });

  it("works after the attacker's second change, and ends the restore link of the email in between", async () => {
    const [user, b, c] = [await createUser(db), newAddress(), newAddress()];
    const owners = await move(user, b);
    const attackers = await move(user, c);
    await linkFor(user, "password-reset", c);
    expect(await redeemEmailRestore(db, owners, client)).toMatchObject({ ok: true });
    expect((await userRow(user))?.email).toBe(user.email);
    expect(await linkRows(user)).toEqual([]);
    const answer = await redeemEmailRestore(db, attackers, client);
    expect(answer).toEqual({ ok: false, reason: "dead-link" });
    expect((await userRow(user))?.email).toBe(user.email);
  });

  it("cannot be undone by a mail that was still queued at that time", async () => {
    const [user, b, c] = [await createUser(db), newAddress(), newAddress()];
    const owners = await move(user, b);
    const stop = await linkFor(user, "email-change", c);
    await redeemEmailChange(db, stop, anonymous);
    const waiting = (await jobRows(user)).find(({ payload }) => payload.to === b);
    await redeemEmailRestore(db, owners, client);
    expect(waiting?.payload.mail).toBe("email-changed");
    const mail = await renderMail(db, waiting?.payload as MailJob, "https://x.example");
    expect(mail).toBeNull();
    expect(await linkRows(user)).toEqual([]);
  });

  it("reports that another account uses the old email now, and changes no row", async () => {
    const user = await createUser(db);
    const token = await move(user, newAddress());
    await createUser(db, { email: user.email });
    const before = await everythingOf(user);
    const answer = await redeemEmailRestore(db, token, client);
    expect(answer).toEqual({ ok: false, reason: "taken" });
    expect(await everythingOf(user)).toEqual(before);
  });

  it("refuses an expired link, and changes no row", async () => {
    const user = await createUser(db);
    const token = await move(user, newAddress());
    await sql`update links set expires_at = now() where user_id = ${user.id}`;
    const before = await everythingOf(user);
    const answer = await redeemEmailRestore(db, token, client);
    expect(answer).toEqual({ ok: false, reason: "dead-link" });
    expect(await everythingOf(user)).toEqual(before);
  });

  it("keeps no token in the clear", async () => {
    const user = await createUser(db);
    const token = await move(user, newAddress());
    expect(await wholeDatabase()).not.toContain(token);
  });

  it("succeeds once of thirty concurrent uses", async () => {
    const user = await createUser(db);
    const token = await move(user, newAddress());
    const lock = (tx: Db) =>
      tx.execute(query`select from links where token_hash = ${hashToken(token)} for update`);
    const answers = await collide(30, lock, (db) => redeemEmailRestore(db, token, client));
    expect(answers.filter(({ ok }) => ok)).toHaveLength(1);
    expect((await eventKinds(user)).filter((kind) => kind === "email-restored").length).toBe(1);
  });
});
