import { createHmac, randomBytes } from "node:crypto";
import { type SQL, sql } from "drizzle-orm";
import { recordEach } from "@/lib/audit";
import { addMail } from "@/lib/auth/mails/jobs";
import { sessionPolicy, tokenPolicy } from "@/lib/auth/policy";
import { hashToken, isToken, newToken } from "@/lib/auth/secrets";
import { live } from "@/lib/auth/sessions/live";
import type { Db } from "@/lib/db/client";
import { preparedSql } from "@/lib/db/prepared";
import { refreshTokens } from "@/lib/db/schema/refresh-tokens";
import { sessions } from "@/lib/db/schema/sessions";
import { users } from "@/lib/db/schema/users";
import { interval } from "@/lib/db/sql";
import type { Client } from "@/lib/http";

/*
 * Creates, exchanges and revokes refresh tokens: the chain that keeps an app logged in. Security:
 * each token is used once, the chain cannot fork (an index prevents it), and reuse of a token after
 * `refreshReplay` revokes its session, because the token was copied (RFC 9700, 4.14). Only hashes
 * are stored; a successor is derived from its parent and a nonce, so that concurrent callers get
 * the same one. Lock order: users, sessions, refresh_tokens.
 */

/**
 * The session of a refresh token that was just created or used, as an access token describes it.
 */
export type AppSession = {
  id: string;
  user: { id: string; role: "user" | "admin" };
  amr: string[];
  authenticatedAt: Date;
};

export type RefreshToken = { token: string /** In seconds. */; expiresIn: number };

export type RefreshAccessToken =
  | { ok: true; session: AppSession; refresh: RefreshToken }
  | { ok: false; reason: "invalid" | "reused" };

/** When a new token expires: never after the session's own end. */
const expiresAt = sql`least(now() + ${interval(sessionPolicy.app.idle)}, ${sessions.expiresAt})`;

const secondsLeft = (column: SQL): SQL => sql`extract(epoch from ${column} - now())::int`;

/** Inserts the first refresh token of a session that was created in the same transaction. */
export async function createRefreshToken(tx: Db, sessionId: string): Promise<RefreshToken> {
  const token = newToken();
  const [row] = await tx.execute<{ expires_in: number }>(sql`
    insert into ${refreshTokens} (session_id, generation, token_hash, expires_at)
    select ${sessions.id}, 1, ${hashToken(token)}, ${expiresAt}
    from ${sessions} where ${sessions.id} = ${sessionId}
    returning ${secondsLeft(sql`expires_at`)} as expires_in`);
  if (!row) throw new Error("createRefreshToken: make the session in the same transaction.");
  return { token, expiresIn: row.expires_in };
}

/**
 * Exchanges a refresh token for its successor. A caller who presents it again within
 * `refreshReplay`, and before the successor is used, gets the same successor. Later the result is
 * "reused", and the session has ended before this returns. "invalid" ends nothing: a made-up token
 * must not log a user out. `secret` is AUTH_SECRET; after it has changed, a token presented again
 * within `refreshReplay` is "invalid".
 */
export async function refreshAccessToken(
  db: Db,
  token: string,
  { secret, client }: { secret: string; client: Client },
): Promise<RefreshAccessToken> {
  if (!isToken(token)) return { ok: false, reason: "invalid" };
  return (await claim(db, token, secret, client)) ?? classify(db, token, secret, client);
}

/** Ends the session of a refresh token, used or not. Does nothing for an unknown token. */
export async function revokeRefreshToken(db: Db, token: string, client: Client): Promise<void> {
  if (!isToken(token)) return;
  await db.execute(sql`
    with ended as (
      delete from ${sessions} where id = (
        select session_id from ${refreshTokens} where token_hash = ${hashToken(token)})
      returning id as session_id, user_id)
    ${recordEach("ended", "logged-out", client)}`);
}

/**
 * Housekeeping: deletes used tokens that have expired. They can no longer be exchanged, and their
 * reuse needs no warning.
 */
export async function deleteExpiredRefreshTokens(db: Db): Promise<void> {
  await db.execute(sql`
    delete from ${refreshTokens} where ${refreshTokens.expiresAt} < now()
      and ${refreshTokens.usedAt} is not null`);
}

/**
 * Exchanges an unused token, in one statement that locks the session, so that callers with the same
 * token wait for each other.
 */
async function claim(
  db: Db,
  token: string,
  secret: string,
  client: Client,
): Promise<RefreshAccessToken | null> {
  const nonce = randomBytes(16);
  const next = successor(token, nonce, secret);
  const hashes = { tokenHash: hashToken(token), nextHash: hashToken(next) };
  const [row] = await claimToken(db, { ...hashes, nonce, ip: client.ip });
  return row ? granted(row, next) : null;
}

const tokenHash = sql.placeholder("tokenHash");

const claimToken = preparedSql<Claimed>(sql`
  with sess as (
    select ${sessions.id}, ${users.id} as user_id, ${users.role}, ${sessions.amr},
      ${sessions.authenticatedAt}, ${expiresAt} as expires_at
    from ${sessions} join ${users} on ${users.id} = ${sessions.userId}
    where ${sessions.id} = (
        select session_id from ${refreshTokens} where token_hash = ${tokenHash})
      and ${sessions.kind} = 'app' and ${live}
    for no key update of ${sessions}),
  used as (
    update ${refreshTokens} t
    set used_at = clock_timestamp(), successor_nonce = ${sql.placeholder("nonce")}
    from sess where t.session_id = sess.id and t.token_hash = ${tokenHash}
      and t.used_at is null and t.expires_at > now()
    returning t.session_id, t.generation),
  child as (
    insert into ${refreshTokens} (session_id, generation, token_hash, expires_at)
    select used.session_id, used.generation + 1, ${sql.placeholder("nextHash")}, sess.expires_at
    from used join sess on sess.id = used.session_id
    returning session_id, expires_at),
  seen as (
    update ${sessions} set last_seen_at = now(),
      ip = coalesce(${sql.placeholder("ip")}::inet, ${sessions.ip})
    from child where ${sessions.id} = child.session_id)
  select sess.id, user_id, role, amr, authenticated_at,
    ${secondsLeft(sql`child.expires_at`)} as expires_in
  from sess join child on child.session_id = sess.id`);

/** Finds out why `claim` found no token to exchange. */
async function classify(
  db: Db,
  token: string,
  secret: string,
  client: Client,
): Promise<RefreshAccessToken> {
  const [row] = await db.execute<Claimed & Classified>(sql`
    select ${sessions.id}, ${users.id} as user_id, ${users.role}, ${sessions.amr},
      ${sessions.authenticatedAt}, t.successor_nonce, c.token_hash as child_hash,
      ${secondsLeft(sql`c.expires_at`)} as expires_in,
      t.used_at is not null as used,
      coalesce(t.used_at > clock_timestamp() - ${interval(tokenPolicy.refreshReplay)}
        and c.used_at is null and c.expires_at > now(), false) as in_grace
    from ${refreshTokens} t
    join ${sessions} on ${sessions.id} = t.session_id
    join ${users} on ${users.id} = ${sessions.userId}
    left join ${refreshTokens} c on c.session_id = t.session_id and c.generation = t.generation + 1
    where t.token_hash = ${hashToken(token)} and ${live}`);
  if (!row?.used || !row.successor_nonce) return { ok: false, reason: "invalid" };
  if (row.in_grace && row.child_hash) {
    const next = successor(token, row.successor_nonce, secret);
    return hashToken(next).equals(row.child_hash)
      ? granted(row, next)
      : { ok: false, reason: "invalid" };
  }
  await endReused(db, row.id, client);
  return { ok: false, reason: "reused" };
}

/**
 * Ends the session and mails its user, in a transaction of its own: a later error of the caller
 * must not bring the session back.
 */
async function endReused(db: Db, sessionId: string, client: Client): Promise<void> {
  await db.transaction(async (tx) => {
    const [ended] = await tx.execute<{ user_id: string }>(sql`
      with ended as (
        delete from ${sessions} where id = ${sessionId}
        returning id as session_id, user_id),
      recorded as (${recordEach("ended", "refresh-token-reused", client)})
      select user_id from ended`);
    if (!ended) return; // another request ended it first, and has mailed the user
    const [user] = await tx.execute<{ email: string }>(sql`
      select email from ${users} where id = ${ended.user_id}`);
    if (!user) return;
    await addMail(tx, "refresh-token-reused", {
      ...{ userId: ended.user_id, to: user.email },
      ...{ client, at: new Date().toISOString() },
    });
  });
}

type Claimed = {
  id: string;
  user_id: string;
  role: "user" | "admin";
  amr: string[];
  authenticated_at: string;
  expires_in: number;
};

type Classified = {
  successor_nonce: Buffer | null;
  child_hash: Buffer | null;
  used: boolean;
  in_grace: boolean;
};

function granted(row: Claimed, token: string): RefreshAccessToken {
  return {
    ok: true,
    session: {
      id: row.id,
      user: { id: row.user_id, role: row.role },
      amr: row.amr,
      authenticatedAt: new Date(row.authenticated_at),
    },
    refresh: { token, expiresIn: row.expires_in },
  };
}

function successor(parent: string, nonce: Buffer, secret: string): string {
  return createHmac("sha256", secret)
    .update("refresh\0")
    .update(parent)
    .update(nonce)
    .digest("base64url");
}
