import { and, asc, eq, type SQL, sql } from "drizzle-orm";
import { QueryBuilder } from "drizzle-orm/pg-core";
import { recordEach } from "@/lib/audit";
import { addMail } from "@/lib/auth/mails/jobs";
import { apiKeyPolicy } from "@/lib/auth/policy";
import { hashToken } from "@/lib/auth/secrets";
import type { Session } from "@/lib/auth/sessions/lookup";
import type { Db } from "@/lib/db/client";
import { prepared } from "@/lib/db/prepared";
import { apiKeys } from "@/lib/db/schema/api-keys";
import { sessions } from "@/lib/db/schema/sessions";
import { users } from "@/lib/db/schema/users";
import { isApiKey, newApiKey, visiblePrefix } from "./api-key-format";
import { endOf, noLongerShown, notExpired, touchDue } from "./key-validity";

/*
 * Creates, finds, lists and revokes the API keys of users (`api_keys`), the credentials of servers
 * and scripts. Security: a key counts only if it passes `live`, which is checked at every request
 * and includes the owner's status, so a key ends at once when it is revoked or its owner is
 * suspended. A password change does not end it: servers hold it, not the user's browser. It ends
 * when the user reports an attacker or the email changes. Change with it: api-key-format.ts (the
 * format of a key), key-validity.ts, lib/auth/policy.ts, lib/auth/revocation.ts and
 * lib/auth/README.md (what ends what).
 */

/** What a key may be used for. A key can never do what its owner cannot. */
export const scopes = [
  "profile:read", // the owner's name, email and role
  "sessions:read", // the owner's devices
  "sessions:write", // ending any of the owner's sessions; a key needs no password for it
  "teams:read", // the owner's teams, and their role in each
  "projects:read", // the projects of these teams
  "projects:write", // changing them, as far as the owner's role allows
] as const;

export type Scope = (typeof scopes)[number];

/** A key as its owner sees it. */
export type ApiKey = {
  id: string;
  name: string;
  /** The key's first characters, by which its owner recognises it. */
  prefix: string;
  scopes: Scope[];
  createdAt: Date;
  /** Null if the key is valid until it is revoked. */
  expiresAt: Date | null;
  expired: boolean;
  lastUsedAt: Date | null;
};

/** A live key that was presented, and its owner. */
export type PresentedKey = {
  id: string;
  scopes: Scope[];
  /** Whether the last recorded use is so old that `touchApiKey` would write. */
  touchDue: boolean;
  user: Session["user"];
};

export type CreateApiKey =
  | { ok: true; id: string; key: string }
  | { ok: false; reason: "too-many" | "session-ended" };

/** The only definition of when a key counts. Requires api_keys joined with users. */
const live = sql`${notExpired(apiKeys)} and ${users.status} = 'active'`;

/**
 * Creates a key for the acting user and mails them about it. The key is returned only here.
 * `lifetime` is in days; null means until the key is revoked. "session-ended" is also the answer if
 * a concurrent "log out everywhere" came first: an attacker who is being logged out must not leave
 * a key behind.
 *
 * Uses two statements, because the first must hold the user's lock before the second counts. It
 * locks the session too: a row that is only joined would be read as it was before the wait.
 */
export async function createApiKey(
  db: Db,
  session: Session,
  { name, scopes, lifetime }: { name: string; scopes: Scope[]; lifetime: number | null },
): Promise<CreateApiKey> {
  const key = newApiKey("user");
  return db.transaction(async (tx) => {
    const [user] = await tx.execute<{ email: string }>(sql`
      select ${users.email} from ${users} join ${sessions} on ${sessions.userId} = ${users.id}
      where ${users.id} = ${session.userId} and ${users.status} = 'active'
        and ${sessions.id} = ${session.id} and ${sessions.authVersion} = ${users.authVersion}
      for no key update`);
    if (!user) return { ok: false, reason: "session-ended" };

    const [created] = await tx.execute<{ id: string }>(sql`
      with created as (
        insert into ${apiKeys} (user_id, name, prefix, key_hash, scopes, expires_at)
        select ${session.userId}, ${name}, ${visiblePrefix(key)}, ${hashToken(key)},
          ${sql.param(scopes)}::text[], ${endOf(lifetime)}
        where (select count(*) from ${apiKeys}
          where ${apiKeys.userId} = ${session.userId} and ${notExpired(apiKeys)}) < ${apiKeyPolicy.keysPerUser}
        returning id, user_id, prefix, ${session.id}::uuid as session_id),
      recorded as (${recordEach("created", "api-key-created", session.client, detail)})
      select id from created`);
    if (!created) return { ok: false, reason: "too-many" };
    await addMail(tx, "api-key-created", {
      ...{ userId: session.userId, to: user.email, key: name },
      ...{ client: session.client, at: new Date().toISOString() },
    });
    return { ok: true, id: created.id, key };
  });
}

const detail = sql`jsonb_build_object('key', id, 'prefix', prefix)`;

/**
 * Returns a user's keys, oldest first, including expired ones until they are cleaned up. The caller
 * is responsible for authorization: the user's own session, or a link to their mailbox.
 */
export async function listApiKeys(db: Db, { userId }: { userId: string }): Promise<ApiKey[]> {
  const rows = await db
    .select({
      id: apiKeys.id,
      name: apiKeys.name,
      prefix: apiKeys.prefix,
      scopes: apiKeys.scopes,
      createdAt: apiKeys.createdAt,
      expiresAt: apiKeys.expiresAt,
      expired: sql<boolean>`not ${notExpired(apiKeys)}`,
      lastUsedAt: apiKeys.lastUsedAt,
    })
    .from(apiKeys)
    .where(eq(apiKeys.userId, userId))
    .orderBy(asc(apiKeys.createdAt), apiKeys.id);
  return rows.map((row) => ({ ...row, scopes: row.scopes.filter(isScope) }));
}

/**
 * Revokes one key of the acting user. Returns false if there is none with this id, also if it
 * belongs to another user: the answer must not tell the two apart. Locks the user first, because
 * otherwise this and the deletion of the account could deadlock.
 */
export async function revokeApiKey(db: Db, session: Session, id: string): Promise<boolean> {
  const rows = await db.execute(sql`
    with owner as (select id from ${users} where id = ${session.userId} for key share),
    revoked as (
      delete from ${apiKeys} using owner where ${apiKeys.userId} = owner.id and ${apiKeys.id} = ${id}
      returning ${apiKeys.id}, ${apiKeys.userId}, prefix, ${session.id}::uuid as session_id),
    recorded as (${recordEach("revoked", "api-key-revoked", session.client, detail)})
    select id from revoked`);
  return rows.length === 1;
}

/**
 * Returns the live key that was presented, or null. One prepared statement, one round trip, no
 * cache. Returns null without a query if the key is malformed or mistyped.
 */
export async function findApiKey(db: Db, key: string): Promise<PresentedKey | null> {
  return isApiKey("user", key)
    ? presented(await findByHash(db, { keyHash: hashToken(key) }))
    : null;
}

/** Like `findApiKey`, by id: finds the key of a service token, if the key is still live. */
export async function findApiKeyById(db: Db, id: string): Promise<PresentedKey | null> {
  return presented(await findById(db, { id }));
}

type LiveKey = Omit<PresentedKey, "scopes"> & { scopes: string[] };

function presented([row]: LiveKey[]): PresentedKey | null {
  return row ? { ...row, scopes: row.scopes.filter(isScope) } : null;
}

const findByHash = prepared(selectLive(eq(apiKeys.keyHash, sql.placeholder("keyHash"))));
const findById = prepared(selectLive(eq(apiKeys.id, sql.placeholder("id"))));

function selectLive(match: SQL) {
  return new QueryBuilder()
    .select({
      id: apiKeys.id,
      scopes: apiKeys.scopes,
      touchDue: touchDue(apiKeys),
      user: { id: users.id, email: users.email, name: users.name, role: users.role },
    })
    .from(apiKeys)
    .innerJoin(users, eq(users.id, apiKeys.userId))
    .where(and(match, live));
}

/**
 * Records that the key was used. Repeats the staleness check in its own `where`, so that only one
 * of several parallel requests writes. Call it after the response.
 */
export async function touchApiKey(db: Db, { id }: { id: string }): Promise<void> {
  await db
    .update(apiKeys)
    .set({ lastUsedAt: sql`now()` })
    .where(and(eq(apiKeys.id, id), touchDue(apiKeys)));
}

/**
 * Housekeeping: deletes keys that expired so long ago that their owner's list no longer shows them.
 * An expired key no longer counts anyway.
 */
export async function deleteExpiredApiKeys(db: Db): Promise<void> {
  await db.delete(apiKeys).where(noLongerShown(apiKeys));
}

/** Whether the code still knows a stored scope. One that it no longer knows grants nothing. */
function isScope(scope: string): scope is Scope {
  return (scopes as readonly string[]).includes(scope);
}
