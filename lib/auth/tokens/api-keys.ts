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
 * Owns the rows of `api_keys`: the credential of a server or a script. The security fact: a key
 * counts only while `live` says so, asked at every request, and its owner's status is part of that;
 * so it ends at once when it is revoked and when its owner is suspended. It does not end with a change
 * of password: servers hold it, not the user's browser. It ends where the user reports an attacker or
 * the email changes. Change with it: api-key-format.ts (what a key looks like), key-validity.ts,
 * lib/auth/policy.ts, lib/auth/revocation.ts and lib/auth/README.md (what ends what).
 */

/** What a key may be used for. It never can do what its owner cannot. */
export const scopes = [
  "profile:read", // the owner's name, email and role
  "sessions:read", // the owner's devices
  "sessions:write", // ending any of the owner's sessions; a key is not asked for a password
  "teams:read", // the owner's teams, and their role in each
  "projects:read", // the projects of these teams
  "projects:write", // changing them, as far as the owner's role allows
] as const;

export type Scope = (typeof scopes)[number];

/** A key as its owner sees it. */
export type ApiKey = {
  id: string;
  name: string;
  /** Its first characters, by which its owner tells it from the others. */
  prefix: string;
  scopes: Scope[];
  createdAt: Date;
  /** Null: until it is revoked. */
  expiresAt: Date | null;
  expired: boolean;
  lastUsedAt: Date | null;
};

/** A key that was presented and counts, and whose it is. */
export type PresentedKey = {
  id: string;
  scopes: Scope[];
  /** `touchApiKey` has something to do. */
  touchDue: boolean;
  user: Session["user"];
};

export type CreateApiKey =
  | { ok: true; id: string; key: string }
  | { ok: false; reason: "too-many" | "session-ended" };

/** The only place that says when a key counts. Joins api_keys and users. */
const live = sql`${notExpired(apiKeys)} and ${users.status} = 'active'`;

/**
 * A new key of the acting user, who gets a mail. It is returned only here. `lifetime` in days,
 * null: until it is revoked. "session-ended" also if a concurrent "log out everywhere" came first: an
 * attacker who is being logged out must not leave a key behind.
 *
 * Two statements, because the first must hold the user's lock before the second counts. It locks the
 * session too: a row that it only joins would be read as it was before the wait.
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
 * A user's keys, the oldest first; those that have expired until they are cleaned up. The caller
 * answers for the right to see them: the user's own session, or a link to their mailbox.
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
 * Takes one key of the acting user back; false when there is none of that id, also when it is
 * another user's: the answer must not tell the two apart. The user's lock comes first, or this and
 * the deletion of the account could wait for each other.
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
 * The live key that was presented, or null. One prepared statement, one round trip, no cache; what is
 * not shaped like a key, or mistyped, costs none.
 */
export async function findApiKey(db: Db, key: string): Promise<PresentedKey | null> {
  return isApiKey("user", key)
    ? presented(await findByHash(db, { keyHash: hashToken(key) }))
    : null;
}

/** The same by id: whether a key that a service token was issued for is still live. */
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
 * Notes that the key was used. Repeats the staleness in its own `where`, so that of parallel
 * requests one writes. Belongs after the response.
 */
export async function touchApiKey(db: Db, { id }: { id: string }): Promise<void> {
  await db
    .update(apiKeys)
    .set({ lastUsedAt: sql`now()` })
    .where(and(eq(apiKeys.id, id), touchDue(apiKeys)));
}

/** Housekeeping: expired keys are dead already, and stay in their owner's list for a while. */
export async function deleteExpiredApiKeys(db: Db): Promise<void> {
  await db.delete(apiKeys).where(noLongerShown(apiKeys));
}

/** A scope that the code no longer knows gives nothing. */
function isScope(scope: string): scope is Scope {
  return (scopes as readonly string[]).includes(scope);
}
