import fc from "fast-check";
import { expect, it } from "vitest";
import { changeRole, operator, reinstate, suspend } from "@/lib/admin/actions";
import { unknownClient } from "@/lib/audit";
import { redeemDisownLink } from "@/lib/auth/account/disowned-login";
import { redeemEmailChange, redeemEmailRestore } from "@/lib/auth/account/email-change";
import { changePassword, redeemPasswordReset } from "@/lib/auth/account/password-change";
import { createLink, findLink, type LinkPurpose } from "@/lib/auth/links";
import { findKnownDevice, rememberAccount } from "@/lib/auth/login/known-devices";
import { sessionPolicy, sudoPolicy } from "@/lib/auth/policy";
import { hashToken } from "@/lib/auth/secrets";
import { createAppSession, createSession } from "@/lib/auth/sessions/create";
import {
  deleteExpiredSessions,
  invalidateAllUserSessions,
  invalidateOtherSessions,
  invalidateSession,
} from "@/lib/auth/sessions/end";
import { listSessions } from "@/lib/auth/sessions/list";
import type { Sudo } from "@/lib/auth/sessions/live";
import { getSession, touchSession } from "@/lib/auth/sessions/lookup";
import { rotateSession } from "@/lib/auth/sessions/rotate";
import { createApiKey, findApiKey } from "@/lib/auth/tokens/api-keys";
import { findBearer } from "@/lib/auth/tokens/bearer";
import { importSigningKeys, signAccessToken } from "@/lib/auth/tokens/jwt";
import { confirmApp } from "@/lib/auth/tokens/log-in";
import { createRefreshToken, refreshAccessToken } from "@/lib/auth/tokens/refresh";
import { privateJwk } from "@/lib/dev/secrets";
import { days, hours, minutes } from "@/lib/time";
import { db, sql } from "@/tests/support/database";
import { eventKinds, wholeDatabase } from "@/tests/support/rows";
import { createUser, password, type TestUser, withPassword } from "@/tests/support/users";

/*
 * Any order of events, against a model of a few lines that says what should come of it. After every
 * step the two must agree about every token and every mailed link that was ever handed out. What is
 * called a token here is held by somebody for ever, as by a thief: dead ones are presented as often
 * as live ones, and so are dead links.
 */

const issuer = "https://app.example.com";
const keys = await importSigningKeys(JSON.stringify({ keys: [privateJwk()] }));
const secret = "s".repeat(43);

type User = {
  account: TestUser;
  version: number;
  suspended: boolean;
  role: "user" | "admin";
  email: string;
  /** Null after it was retired. */
  password: string | null;
  /** One that was right earlier. */
  oldPassword: string;
  /** Moves on whenever no browser may stay known. */
  epoch: number;
  /** Kinds of event, in order. */
  events: string[];
};

type Row = {
  user: User;
  /** The one of its tokens that was handed out last. */
  token: string;
  version: number;
  persistent: boolean;
  unseen: number;
  left: number;
  /** Milliseconds since its account last proved who they are. */
  proof: number;
  /** Of an app, which has these instead of a cookie's token. */
  app?: {
    /** Not used yet. */
    leaf: string;
    /** Its parent, while it may come again (`refreshReplay`). */
    replay?: string;
  };
};

type Link = { user: User; purpose: LinkPurpose; sentTo: string };

type Model = {
  /** Those that should work, by token. */
  links: Map<string, Link>;
  linkTokens: string[];
  users: [User, User];
  /** What should stand in the table, by id. */
  rows: Map<string, Row>;
  /** Every token ever handed out, and every id ever seen. */
  tokens: string[];
  ids: string[];
  /** Every refresh token ever handed out, with its session's id, and an access token of each app. */
  refreshTokens: { token: string; id: string }[];
  bearers: { token: string; id: string }[];
  /** Every API key ever handed out, and whether it should open anything. */
  keys: { key: string; user: User; revoked: boolean }[];
  /** Device cookies as they were handed out. */
  cookies: { cookie: string; user: User; epoch: number }[];
};

function isInTime({ persistent, unseen, left, app }: Row): boolean {
  const kind = app ? "app" : persistent ? "persistent" : "temporary";
  return left > 0 && unseen < sessionPolicy[kind].idle;
}

function lives(row: Row): boolean {
  return !row.user.suspended && row.version === row.user.version && isInTime(row);
}

function sudoOf({ proof }: Row): Sudo {
  return proof < sudoPolicy.open ? "full" : proof < sudoPolicy.submit ? "submit-only" : "expired";
}

function rowOf(model: Model, token: string): [string, Row] | undefined {
  return [...model.rows].find(([, row]) => row.token === token && lives(row));
}

function remove(model: Model, isGone: (row: Row, id: string) => boolean): number {
  const gone = [...model.rows].filter(([id, row]) => isGone(row, id));
  for (const [id] of gone) model.rows.delete(id);
  return gone.length;
}

function isLastAdmin(model: Model, user: User): boolean {
  const admins = model.users.filter(({ role, suspended }) => role === "admin" && !suspended);
  return admins.length === 1 && admins[0] === user;
}

/** What each new password and each new address does. */
function secure(model: Model, user: User, event: string, keep?: string): void {
  user.version++;
  user.events.push(event);
  remove(model, (row, id) => row.user === user && id !== keep);
  endLinks(model, user, ["password-reset", "email-change"]);
}

function endLinks(model: Model, user: User, purposes: LinkPurpose[]): void {
  for (const [token, link] of model.links)
    if (link.user === user && purposes.includes(link.purpose)) model.links.delete(token);
}

/** What puts an attacker out who knows the password. */
function retire(model: Model, user: User): void {
  user.password = null;
  user.epoch++;
  revokeKeys(model, user);
}

function revokeKeys(model: Model, user: User): void {
  for (const key of model.keys) if (key.user === user) key.revoked = true;
}

function newPassword(user: User): string {
  user.oldPassword = user.password ?? user.oldPassword;
  user.password = `kelp otter zinc ${user.version}`;
  return user.password;
}

async function mailLink(model: Model, link: Link): Promise<void> {
  const { user, purpose, sentTo } = link;
  const token = await createLink(db, { userId: user.account.id, purpose, sentTo });
  if (purpose === "password-reset" || purpose === "email-change") endLinks(model, user, [purpose]);
  model.links.set(token, link);
  model.linkTokens.push(token);
}

/** The link, if using it for this purpose should work. */
function working(model: Model, token: string, purpose: LinkPurpose): Link | undefined {
  const link = model.links.get(token);
  if (!link || link.purpose !== purpose || link.user.suspended) return undefined;
  return purpose === "password-reset" && link.sentTo !== link.user.email ? undefined : link;
}

/** Half the time one that should work, if there is any: else too little would ever come of it. */
function pickLink(model: Model, purpose: LinkPurpose, n: number): string | undefined {
  const hopeful = model.linkTokens.filter((token) => working(model, token, purpose));
  return n % 2 === 0 && hopeful.length > 0 ? pick(hopeful, n / 2) : pick(model.linkTokens, n);
}

const pick = <T>(list: T[], n: number): T | undefined => list[n % list.length];
const ages = [
  minutes(3),
  minutes(6),
  minutes(12),
  hours(1),
  hours(11),
  hours(13),
  hours(25),
  days(10),
  days(15),
  days(31),
];

/** Everything that can happen. `a` and `b` choose among what there is. */
const steps: Record<string, (model: Model, a: number, b: number) => Promise<void>> = {
  async logIn(model, a, b) {
    const user = model.users[a % 2 === 0 ? 0 : 1];
    const persistent = b % 3 > 0;
    const presented = b % 4 === 0 ? (pick(model.tokens, b) ?? null) : null;
    const created = await createSession(db, {
      ...{ userId: user.account.id, authVersion: user.version, amr: ["pwd"], persistent },
      ...{ presented, client: unknownClient },
    });
    expect(created === null).toBe(user.suspended);
    if (!created) return;
    const [, replaced] = [...model.rows].find(([, row]) => row.token === presented) ?? [];
    remove(model, (row) => row.token === presented);
    const { id, token } = created;
    const left = sessionPolicy[persistent ? "persistent" : "temporary"].absolute;
    model.rows.set(id, {
      user,
      token,
      version: user.version,
      persistent,
      unseen: 0,
      left,
      proof: 0,
    });
    model.tokens.push(token);
    model.ids.push(id);
    user.events.push("logged-in");
    if (replaced && isInTime(replaced)) replaced.user.events.push("session-replaced");
    const known = rememberAccount("", { userId: user.account.id, deviceEpoch: user.epoch }, secret);
    model.cookies.push({ cookie: known, user, epoch: user.epoch });
  },

  async createKey(model, a) {
    const token = pick(model.tokens, a);
    const session = token && (await getSession(db, token));
    const user = session && model.rows.get(session.id)?.user;
    if (!session || !user) return;
    const wanted = { name: "Backup", scopes: ["profile:read" as const], lifetime: null };
    const created = await createApiKey(db, session, wanted);
    if (!created.ok) throw new Error(created.reason);
    model.keys.push({ key: created.key, user, revoked: false });
    user.events.push("api-key-created");
  },

  async logInApp(model, a) {
    const user = model.users[a % 2 === 0 ? 0 : 1];
    const { id: userId } = user.account;
    const created = await db.transaction(async (tx) => {
      const session = await createAppSession(tx, {
        ...{ userId, authVersion: user.version, amr: ["pwd"], deviceName: "Phone" },
        client: unknownClient,
      });
      return session && { ...session, refresh: await createRefreshToken(tx, session.id) };
    });
    expect(created === null).toBe(user.suspended);
    if (!created) return;
    const { id, refresh } = created;
    model.rows.set(id, {
      ...{ user, token: `app ${id}`, version: user.version, persistent: true },
      ...{ unseen: 0, left: sessionPolicy.app.absolute, proof: 0, app: { leaf: refresh.token } },
    });
    model.ids.push(id);
    model.refreshTokens.push({ token: refresh.token, id });
    const claims = { sub: userId, role: user.role, sid: id };
    model.bearers.push({ token: await signAccessToken(keys, issuer, claims, days(365)), id });
    user.events.push("logged-in");
  },

  async refresh(model, a, b) {
    const leaves = [...model.rows.values()].flatMap(({ app }) => app?.leaf ?? []);
    const token = b % 2 === 0 ? pick(leaves, a) : pick(model.refreshTokens, a)?.token;
    const known = model.refreshTokens.find((each) => each.token === token);
    if (!token || !known) return;
    const row = model.rows.get(known.id);
    const answer = await refreshAccessToken(db, token, { secret, client: unknownClient });
    if (!row?.app || !lives(row)) {
      expect(answer).toEqual({ ok: false, reason: "invalid" });
    } else if (token === row.app.replay) {
      expect(answer).toMatchObject({ ok: true, refresh: { token: row.app.leaf } });
    } else if (token !== row.app.leaf) {
      expect(answer).toEqual({ ok: false, reason: "reused" });
      model.rows.delete(known.id);
      row.user.events.push("refresh-token-reused");
    } else {
      if (!answer.ok) throw new Error(answer.reason);
      expect(answer.session.id).toBe(known.id);
      model.refreshTokens.push({ token: answer.refresh.token, id: known.id });
      row.app = { leaf: answer.refresh.token, replay: token };
      row.unseen = 0;
    }
  },

  /** The password was checked before the last "log out everywhere". */
  async logInTooLate(model, a) {
    const { account, version } = model.users[a % 2 === 0 ? 0 : 1];
    const created = await createSession(db, {
      ...{ userId: account.id, authVersion: version - 1, amr: ["pwd"], persistent: true },
      ...{ presented: null, client: unknownClient },
    });
    expect(created).toBeNull();
  },

  async visit(model, a) {
    const token = pick(model.tokens, a);
    const session = token ? await getSession(db, token) : null;
    if (!token || !session) return;
    const [, row] = rowOf(model, token) ?? [];
    expect(session.touchDue).toBe(row && row.unseen > sessionPolicy.touchInterval);
    await touchSession(db, session);
    if (row && session.touchDue) row.unseen = 0;
  },

  async rotate(model, a) {
    const token = pick(model.tokens, a);
    if (!token) return;
    const [id, row] = rowOf(model, token) ?? [];
    const rotated = await rotateSession(db, token, ["pwd"]);
    expect(rotated?.id).toBe(id);
    if (!rotated || !row) return;
    model.tokens.push(rotated.token);
    Object.assign(row, { token: rotated.token, unseen: 0, proof: 0 });
    row.user.events.push("session-rotated");
  },

  async confirmApp(model, a, b) {
    const known = pick(model.bearers, a);
    const bearer = known && (await findBearer(db, known.token, { keys, issuer }));
    const row = known && model.rows.get(known.id);
    if (!bearer?.session || !row) return;
    const right = b % 3 !== 0 && row.user.password !== null;
    const app = { sessionId: bearer.session.id, user: bearer.user };
    const typed = (right && row.user.password) || row.user.oldPassword;
    const answer = await confirmApp(db, app, { password: typed, client: unknownClient });
    expect(answer).toEqual(right ? { ok: true } : { ok: false, reason: "incorrect" });
    if (!right) return;
    Object.assign(row, { unseen: 0, proof: 0 });
    row.user.events.push("session-confirmed");
  },

  async logOutDevice(model, a, b) {
    const token = pick(model.tokens, a);
    const [session, id] = [token && (await getSession(db, token)), pick(model.ids, b)];
    if (!session || !id) return;
    const target = model.rows.get(id);
    const isOwn = target?.user.account.id === session.userId;
    expect(await invalidateSession(db, session, id)).toBe(isOwn);
    if (!target || !isOwn) return;
    model.rows.delete(id);
    target.user.events.push(id === session.id ? "logged-out" : "session-ended");
  },

  async logOut(model, a) {
    const token = pick(model.tokens, a);
    const session = token && (await getSession(db, token));
    if (!session) return;
    expect(await invalidateSession(db, session, session.id)).toBe(true);
    model.rows.get(session.id)?.user.events.push("logged-out");
    model.rows.delete(session.id);
  },

  async logOutOtherDevices(model, a) {
    const token = pick(model.tokens, a);
    const session = token && (await getSession(db, token));
    const user = session && model.rows.get(session.id)?.user;
    if (!session || !user) return;
    const ended = remove(model, (row, id) => row.user === user && id !== session.id);
    expect(await invalidateOtherSessions(db, session)).toBe(ended);
    for (let n = 0; n < ended; n++) user.events.push("other-sessions-ended");
  },

  async logOutEverywhere(model, a) {
    const user = model.users[a % 2 === 0 ? 0 : 1];
    const ended = remove(model, (row) => row.user === user);
    expect(await invalidateAllUserSessions(db, user.account.id)).toBe(ended);
    user.version++;
    user.events.push("all-sessions-ended");
  },

  async changePassword(model, a, b) {
    const token = pick(model.tokens, a);
    const session = token && (await getSession(db, token));
    const row = session && model.rows.get(session.id);
    if (!token || !session || !row) return;
    const isRight = b % 3 > 0 && row.user.password !== null;
    const current = (isRight && row.user.password) || row.user.oldPassword;
    const next = isRight ? newPassword(row.user) : "never to be";
    const answer = await changePassword(db, session, { presented: token, current, next });
    expect(answer.ok).toBe(isRight);
    if (!answer.ok) return;
    secure(model, row.user, "password-changed", session.id);
    row.user.epoch++;
    model.tokens.push(answer.token);
    Object.assign(row, { token: answer.token, version: row.user.version, unseen: 0, proof: 0 });
  },

  async askForLink(model, a, b) {
    const user = model.users[a % 2 === 0 ? 0 : 1];
    const purpose = b % 2 === 0 ? "password-reset" : "email-change";
    const sentTo = purpose === "email-change" ? `${b}-${user.account.email}` : user.email;
    await mailLink(model, { user, purpose, sentTo });
  },

  async linkExpires(model, a) {
    const token = pick(model.linkTokens, a);
    if (!token) return;
    await sql`update links set expires_at = now() where token_hash = ${hashToken(token)}`;
    model.links.delete(token);
  },

  async resetPassword(model, a) {
    const token = pickLink(model, "password-reset", a);
    if (!token) return;
    const user = working(model, token, "password-reset")?.user;
    const chosen = user ? newPassword(user) : "never to be";
    const answer = await redeemPasswordReset(db, token, withPassword(chosen), unknownClient);
    expect(answer.ok).toBe(user !== undefined);
    if (!user) return;
    secure(model, user, "password-reset");
    user.epoch++;
  },

  /** The mail about a new device goes to the email of its time. */
  async mailNotMe(model, a) {
    const user = model.users[a % 2 === 0 ? 0 : 1];
    await mailLink(model, { user, purpose: "not-me", sentTo: user.email });
  },

  async disownLogin(model, a) {
    const token = pickLink(model, "not-me", a);
    if (!token) return;
    const link = working(model, token, "not-me");
    const answer = await redeemDisownLink(db, token, unknownClient);
    expect(answer.ok).toBe(link !== undefined);
    if (!link) return;
    const { user, sentTo } = link;
    model.links.delete(token);
    const restores = [...model.links.keys()].some((each) => {
      const restore = working(model, each, "email-restore");
      return restore?.user === user && restore.sentTo === sentTo && sentTo !== user.email;
    });
    secure(model, user, "login-disowned");
    retire(model, user);
    if (!restores) return;
    user.email = sentTo;
    user.events.push("email-restored");
    endLinks(model, user, ["email-restore", "not-me"]);
  },

  async changeEmail(model, a, b) {
    const [token, by] = [pickLink(model, "email-change", a), pick(model.tokens, b)];
    if (!token) return;
    const link = working(model, token, "email-change");
    const session = by ? await getSession(db, by) : null;
    const answer = await redeemEmailChange(db, token, { session, client: unknownClient });
    expect(answer.ok).toBe(link !== undefined);
    if (!answer.ok || !link) return;
    const kept = session?.userId === link.user.account.id ? session.id : undefined;
    expect(answer.kept).toBe(kept !== undefined);
    secure(model, link.user, "email-changed", kept);
    revokeKeys(model, link.user);
    const row = kept && model.rows.get(kept);
    if (row) row.version = link.user.version;
    const old = { user: link.user, purpose: "email-restore", sentTo: link.user.email } as const;
    link.user.email = link.sentTo;
    await mailLink(model, old);
  },

  async restoreEmail(model, a) {
    const token = pickLink(model, "email-restore", a);
    if (!token) return;
    const link = working(model, token, "email-restore");
    const answer = await redeemEmailRestore(db, token, unknownClient);
    expect(answer.ok).toBe(link !== undefined);
    if (!link) return;
    secure(model, link.user, "email-restored");
    retire(model, link.user);
    endLinks(model, link.user, ["email-restore", "not-me"]);
    link.user.email = link.sentTo;
  },

  /** As a change of password will: the rows of other sessions stay, and count for nothing. */
  async moveVersionOn(model, a) {
    const user = model.users[a % 2 === 0 ? 0 : 1];
    user.version++;
    await sql`update users set auth_version = ${user.version} where id = ${user.account.id}`;
  },

  async suspendOrReinstate(model, a) {
    const user = model.users[a % 2 === 0 ? 0 : 1];
    const suspends = !user.suspended && a % 3 === 0;
    const answer = suspends
      ? await suspend(db, operator, user.account.id, "Spam.")
      : await reinstate(db, operator, user.account.id);
    const refused = suspends
      ? isLastAdmin(model, user) && "last-admin"
      : !user.suspended && "unchanged";
    expect(answer).toEqual(refused ? { ok: false, reason: refused } : { ok: true });
    if (refused) return;
    user.suspended = suspends;
    user.version++;
    user.events.push(suspends ? "suspended" : "reinstated");
    remove(model, (row) => row.user === user);
    if (!suspends) return;
    endLinks(model, user, ["password-reset", "email-change", "email-restore", "not-me"]);
    revokeKeys(model, user);
  },

  async changeRole(model, a) {
    const user = model.users[a % 2 === 0 ? 0 : 1];
    const next = user.role === "user" ? "admin" : "user";
    const refused = isLastAdmin(model, user);
    expect(await changeRole(db, operator, user.account.id, next)).toEqual(
      refused ? { ok: false, reason: "last-admin" } : { ok: true },
    );
    if (refused) return;
    user.role = next;
    user.events.push("role-changed");
    if (user.role === "user") return;
    for (const row of model.rows.values()) if (row.user === user) row.proof = Infinity;
  },

  /** For one user: all that is theirs grows older together. */
  async timePasses(model, a, b) {
    const [user, age] = [model.users[a % 2 === 0 ? 0 : 1], pick(ages, b)];
    if (!age) return;
    for (const row of model.rows.values()) {
      if (row.user !== user) continue;
      row.unseen += age;
      row.left -= age;
      row.proof += age;
      delete row.app?.replay;
    }
    const { id } = user.account;
    await sql`
      update sessions set last_seen_at = last_seen_at - ${age / 1000} * interval '1 second',
        expires_at = expires_at - ${age / 1000} * interval '1 second',
        authenticated_at = authenticated_at - ${age / 1000} * interval '1 second'
      where user_id = ${id}`;
    await sql`
      update refresh_tokens set used_at = used_at - ${age / 1000} * interval '1 second',
        expires_at = expires_at - ${age / 1000} * interval '1 second'
      where session_id in (select id from sessions where user_id = ${id})`;
    await sql`
      update users set role_raised_at = role_raised_at - ${age / 1000} * interval '1 second'
      where id = ${id}`;
  },

  async cleanUp(model) {
    expect(await deleteExpiredSessions(db)).toBe(remove(model, (row) => row.left <= 0));
  },
};

async function agree(model: Model): Promise<void> {
  const found = await Promise.all(model.tokens.map((token) => getSession(db, token)));
  for (const [index, session] of found.entries()) {
    const [id, row] = rowOf(model, `${model.tokens[index]}`) ?? [];
    expect(session?.id).toBe(id);
    expect(session?.user.id).toBe(row?.user.account.id);
    expect(session?.user.role).toBe(row?.user.role);
    expect(session?.user.email).toBe(row?.user.email);
    expect(session?.sudo).toBe(row && sudoOf(row));
  }
  for (const user of model.users) {
    const devices = await listSessions(db, { userId: user.account.id });
    const own = [...model.rows].filter(([, row]) => row.user === user && lives(row));
    expect(devices.map(({ id }) => id).sort()).toEqual(own.map(([id]) => id).sort());
  }
  for (const id of model.ids) expect(await getSession(db, id)).toBeNull();
  for (const { token, id } of model.bearers) {
    const [bearer, row] = [await findBearer(db, token, { keys, issuer }), model.rows.get(id)];
    expect(bearer?.session?.id).toBe(row && lives(row) ? id : undefined);
    expect(bearer?.session?.sudo).toBe(row && lives(row) ? sudoOf(row) : undefined);
    if (bearer) expect(bearer.user.id).toBe(row?.user.account.id);
  }
  const forked = await sql`
    select session_id from refresh_tokens where used_at is null
    group by session_id having count(*) > 1`;
  expect([...forked]).toEqual([]);
  const rows = await sql<{ id: string }[]>`select id from sessions`;
  expect(rows.map(({ id }) => id).sort()).toEqual([...model.rows.keys()].sort());
  for (const { account, events } of model.users) expect(await eventKinds(account)).toEqual(events);

  for (const token of model.linkTokens)
    for (const purpose of ["password-reset", "email-change", "email-restore", "not-me"] as const)
      expect((await findLink(db, token, purpose)) !== null).toBe(
        working(model, token, purpose) !== undefined,
      );

  const passwords = await sql<{ id: string }[]>`select user_id as id from passwords`;
  for (const { account, password } of model.users)
    expect(passwords.some(({ id }) => id === account.id)).toBe(password !== null);
  for (const { key, user, revoked } of model.keys)
    expect((await findApiKey(db, key)) !== null).toBe(!revoked && !user.suspended);
  for (const { cookie, user, epoch } of model.cookies)
    expect((await findKnownDevice(db, cookie, user.email, secret)) !== null).toBe(
      epoch === user.epoch,
    );

  const everything = await wholeDatabase();
  const refreshTokens = model.refreshTokens.map(({ token }) => token);
  for (const token of [...model.tokens, ...model.linkTokens, ...refreshTokens]) {
    expect(everything).not.toContain(token);
    expect(everything).not.toContain(Buffer.from(token, "base64url").toString("hex"));
    expect(everything).not.toContain(Buffer.from(token).toString("hex"));
  }
}

async function newModel(): Promise<Model> {
  await sql`truncate users, sessions, audit_events cascade`;
  await sql`delete from graphile_worker._private_jobs`;
  const rest = {
    links: new Map(),
    linkTokens: [],
    rows: new Map(),
    tokens: [],
    ids: [],
    refreshTokens: [],
    bearers: [],
    keys: [],
    cookies: [],
  };
  return { users: [await newUser(), await newUser()], ...rest };
}

async function newUser(): Promise<User> {
  const account = await createUser(db);
  return {
    ...{ account, version: 1, suspended: false, role: "user", events: [] },
    ...{ email: account.email, password, oldPassword: "never was", epoch: 1 },
  };
}

class Step implements fc.AsyncCommand<Model, object> {
  constructor(
    readonly name: string,
    readonly a: number,
    readonly b: number,
  ) {}
  check = () => true;
  toString = () => `${this.name}(${this.a}, ${this.b})`;
  async run(model: Model): Promise<void> {
    await steps[this.name]?.(model, this.a, this.b);
    await agree(model);
  }
}

function step(name: string): fc.Arbitrary<Step> {
  const choice = fc.nat({ max: 23 });
  return fc.tuple(choice, choice).map(([a, b]) => new Step(name, a, b));
}

// Log-ins, log-outs of a device and links come more often, so that there is something to end and to
// use, and people to do it. A failure prints what to pass to fc.assert to see it again: keep it as a
// second test.
const often = [
  "logIn",
  "logIn",
  "logIn",
  "logIn",
  "logIn",
  "logOutDevice",
  "logOutDevice",
  "logInApp",
  "refresh",
  "refresh",
  "refresh",
];
const names = [
  ...often,
  "askForLink",
  "askForLink",
  "changeEmail",
  "mailNotMe",
  ...Object.keys(steps),
];

it("agrees with its model about every token, whatever happens in whatever order", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.commands(names.map(step), { maxCommands: 30, size: "max" }),
      async (commands) => {
        await fc.asyncModelRun(async () => ({ model: await newModel(), real: {} }), commands);
      },
    ),
    { numRuns: 80 },
  );
});
