import { and, desc, eq, type SQL, sql } from "drizzle-orm";
import { QueryBuilder } from "drizzle-orm/pg-core";
import type { Sql } from "postgres";
import { type Client, recordEach, unknownClient } from "@/lib/audit";
import { sessionPolicy, sudoPolicy } from "@/lib/auth/policy";
import { endedSessions, nextAuthVersion } from "@/lib/auth/revocation";
import { hashToken, isToken, newToken } from "@/lib/auth/secrets";
import { clientOf, type Db } from "@/lib/db/client";
import { gather } from "@/lib/db/gather";
import { sessions, users } from "@/lib/db/schema/schema";
import { type SessionData, sessionData } from "./data";

/*
 * Owns the rows of `sessions`, and with them who is logged in. The security fact: a session counts
 * only while `live` says so, judged by the database's clock at every request, with no cache. So
 * ending one needs no news to spread. Lock order: users, then sessions. Change with it:
 * policy.ts (the numbers), current.ts (the cookie), README.md (the life cycle).
 */

/**
 * What may be done without another proof: open a page that asks for one; only submit a form of such
 * a page; or neither.
 */
export type Sudo = "full" | "submit-only" | "expired";

/** The acting session and its user, as every page and action gets it. Holds no secret. */
export type Session = {
  id: string;
  userId: string;
  persistent: boolean;
  /** What its person's last proof of who they are is still good for. */
  sudo: Sudo;
  data: SessionData;
  /** `touchSession` has something to do. */
  touchDue: boolean;
  user: { id: string; email: string; name: string; role: "user" | "admin" };
  /** Where this request comes from, which the row may not know yet. */
  client: Client;
};

/**
 * What acts on the sessions of its user: a session, or an API key, which has none (`id` null). A whole
 * `Session` is one too.
 */
export type Acting = { id: string | null; userId: string; client: Client };

/** A session as its owner sees it in the device list. */
export type Device = {
  id: string;
  kind: "web" | "app";
  amr: string[];
  persistent: boolean;
  createdAt: Date;
  authenticatedAt: Date;
  lastSeenAt: Date;
  ip: string | null;
  userAgent: string | null;
  /** What an app calls the device it runs on. */
  deviceName: string | null;
};

export type NewSession = {
  userId: string;
  /** As it was when the password was checked: if it has moved on since, nobody is logged in. */
  authVersion: number;
  amr: string[];
  persistent: boolean;
  /** The token the browser already had. It ends here, so that none can be planted (fixation). */
  presented: string | null;
  client: Client;
};

const interval = (milliseconds: number): SQL =>
  sql.raw(`interval '${milliseconds / 1000} seconds'`);

const idle = sql`case
  when ${sessions.kind} = 'app' then ${interval(sessionPolicy.app.idle)}
  when ${sessions.persistent} then ${interval(sessionPolicy.persistent.idle)}
  else ${interval(sessionPolicy.temporary.idle)} end`;

/** The live predicate: the only place that says when a session counts. Joins sessions and users. */
export const live: SQL = sql`${sessions.expiresAt} > now()
  and ${sessions.lastSeenAt} > now() - ${idle}
  and ${sessions.authVersion} = ${users.authVersion}
  and ${users.status} = 'active'`;

/** When a live session ends by itself, if nobody uses it until then. */
export const endsAt: SQL = sql`least(${sessions.expiresAt}, ${sessions.lastSeenAt} + ${idle})`;

/** Also ended by a rise of the role: new rights want a fresh proof. (`greatest` passes over nulls.) */
const confirmedWithin = (window: number): SQL =>
  sql`${sessions.authenticatedAt} > greatest(now() - ${interval(window)}, ${users.roleRaisedAt})`;

/** What the last proof of a session is still good for. Joins sessions and users. */
export const sudo = sql<Sudo>`case
  when ${confirmedWithin(sudoPolicy.open)} then 'full'
  when ${confirmedWithin(sudoPolicy.submit)} then 'submit-only'
  else 'expired' end`;

const touchDue = sql<boolean>`${sessions.lastSeenAt} < now() - ${interval(sessionPolicy.touchInterval)}`;

// Built once: to build it costs more than to use it. What no longer fits the schema is forgotten.
const storedData = sessionData.catch(() => ({}));

/**
 * The live session of a token, or null. One prepared statement, one round trip, shared with others
 * where they are many at once; what is not shaped like a token costs no query. `client` is carried
 * along for the audit trail.
 */
export async function getSession(
  db: Db,
  token: string,
  client: Client = unknownClient,
): Promise<Session | null> {
  if (!isToken(token)) return null;
  const row = await lookupOver(clientOf(db))(hashToken(token));
  return row ? sessionOf(row, client) : null;
}

// Every page waits for this one statement. So Drizzle writes it, once, and postgres.js sends it: a
// tenth faster than through Drizzle's prepared query, measured side by side.
const lookupOne = lookupBy(eq(sessions.tokenHash, sql.placeholder("tokenHash")));
const lookupMany = lookupBy(
  sql`${sessions.tokenHash} = any(${sql.placeholder("tokenHashes")}::text::bytea[])`,
  { tokenHash: sql`encode(${sessions.tokenHash}, 'hex')` },
);

function lookupBy(match: SQL, more: { tokenHash?: SQL } = {}): string {
  return new QueryBuilder()
    .select({
      id: sessions.id,
      persistent: sessions.persistent,
      sudo,
      data: sessions.data,
      touchDue,
      userId: users.id,
      email: users.email,
      name: users.name,
      role: users.role,
      ...more,
    })
    .from(sessions)
    .innerJoin(users, eq(users.id, sessions.userId))
    .where(and(match, live))
    .toSQL().sql;
}

type Lookup = (tokenHash: Buffer) => Promise<LookupRow | undefined>;

const lookups = new WeakMap<Sql, Lookup>();

/** The lookup over a pool or a transaction. Those of a busy pool travel together: see `gather`. */
function lookupOver(client: Sql): Lookup {
  const lookup = lookups.get(client) ?? newLookup(client);
  lookups.set(client, lookup);
  return lookup;
}

function newLookup(client: Sql): Lookup {
  const ask = async (lookup: string, parameter: Buffer | string) => {
    const rows = await client.unsafe(lookup, [parameter], { prepare: true }).values();
    // `values` is untyped; the order is that of the columns of `lookupBy`.
    return rows as unknown as LookupRow[];
  };
  return gather(
    // A transaction has no options, and one connection.
    client.options?.max ?? 1,
    async (tokenHash) => (await ask(lookupOne, tokenHash))[0],
    async (tokenHashes) => {
      const hashes = tokenHashes.map((hash) => hash.toString("hex"));
      const rows = await ask(lookupMany, `{${hashes.map((hash) => `"\\\\x${hash}"`).join(",")}}`);
      const byHash = new Map(rows.map((row) => [row[9], row]));
      return hashes.map((hash) => byHash.get(hash));
    },
  );
}

type LookupRow = [
  id: string,
  persistent: boolean,
  sudo: Sudo,
  data: unknown,
  touchDue: boolean,
  userId: string,
  email: string,
  name: string,
  role: Session["user"]["role"],
  /** Only of `lookupMany`. */
  tokenHash?: string,
];

function sessionOf(row: LookupRow, client: Client): Session {
  const [id, persistent, sudo, data, touchDue, userId, email, name, role] = row;
  return {
    ...{ id, userId, persistent, sudo, touchDue, client },
    data: storedData.parse(data),
    user: { id: userId, email, name, role },
  };
}

/**
 * Logs a user in, whose proof the caller has checked. Returns the new token and the id of the audit
 * event, or null when the user was suspended or logged out everywhere since (`authVersion`). Ends
 * the presented session, and the longest unseen beyond the cap.
 *
 * Two statements, because the first must hold the user's lock before the second takes its
 * snapshot: in one, parallel logins each count the sessions before the others' and pass the cap.
 */
export async function createSession(
  db: Db,
  session: NewSession,
): Promise<{ id: string; token: string; event: number } | null> {
  const token = newToken();
  const { absolute } = session.persistent ? sessionPolicy.persistent : sessionPolicy.temporary;
  const row = { kind: "web", tokenHash: hashToken(token), absolute, deviceName: null } as const;
  const created = await insertSession(db, session, row);
  return created && { ...created, token };
}

/** The same for an app, which has refresh tokens instead: refresh.ts makes the first. */
export async function createAppSession(
  db: Db,
  session: Omit<NewSession, "persistent" | "presented"> & { deviceName: string | null },
): Promise<{ id: string; event: number } | null> {
  const { absolute } = sessionPolicy.app;
  const row = { kind: "app", tokenHash: null, absolute, deviceName: session.deviceName } as const;
  return insertSession(db, { ...session, persistent: true, presented: null }, row);
}

async function insertSession(
  db: Db,
  session: NewSession,
  row: {
    kind: Device["kind"];
    tokenHash: Buffer | null;
    absolute: number;
    deviceName: string | null;
  },
): Promise<{ id: string; event: number } | null> {
  const presentedHash = session.presented ? hashToken(session.presented) : null;

  return db.transaction(async (tx) => {
    const [user] = await tx.execute(sql`
      select id from ${users}
      where id = ${session.userId} and auth_version = ${session.authVersion} and status = 'active'
      for no key update`);
    if (!user) return null;

    const [created] = await tx.execute<{ id: string; event: number }>(sql`
      with presented as (
        delete from ${sessions} where token_hash = ${presentedHash}
        returning id as session_id, user_id, expires_at > now()
          and last_seen_at > now() - ${idle} as is_live),
      replaced as (select session_id, user_id from presented where is_live),
      recorded_replaced as (${recordEach("replaced", "session-replaced", session.client)}),
      evicted as (
        delete from ${sessions} where id in (
          select id from ${sessions}
          where user_id = ${session.userId} and (token_hash = ${presentedHash}) is not true
          order by last_seen_at desc offset ${sessionPolicy.sessionsPerUser - 1})
        returning id),
      created as (
        insert into ${sessions}
          (user_id, kind, token_hash, auth_version, amr, persistent, expires_at, ip, user_agent,
            device_name)
        values (${session.userId}, ${row.kind}, ${row.tokenHash}, ${session.authVersion},
          ${sql.param(session.amr)}::text[], ${session.persistent}, now() + ${interval(row.absolute)},
          ${session.client.ip}, left(${session.client.userAgent}::text, 512), ${row.deviceName})
        returning id, id as session_id, user_id),
      recorded as (${recordEach(
        "created",
        "logged-in",
        session.client,
        sql`jsonb_build_object('evicted', (select count(*) from evicted))`,
      )} returning id)
      select id, (select id::int from recorded) as event from created`);
    if (!created) throw new Error("insertSession: the insert returned no row; look at its CTEs.");
    return created;
  });
}

/**
 * Swaps the token of a live session, at every rise of privilege. `id` stays, so the device stays
 * the same device. Guarded by the old hash: of parallel callers one gets the new token, the others
 * null. Counts as a fresh proof of who it is (`authenticated_at`).
 */
export async function rotateSession(
  db: Db,
  token: string,
  client: Client = unknownClient,
): Promise<{ id: string; token: string } | null> {
  const next = newToken();
  const [row] = await db.execute<{ id: string }>(sql`
    with rotated as (
      update ${sessions} set token_hash = ${hashToken(next)},
        authenticated_at = now(), last_seen_at = now()
      from ${users}
      where ${sessions.tokenHash} = ${hashToken(token)} and ${users.id} = ${sessions.userId} and ${live}
      returning ${sessions.id} as session_id, ${sessions.userId} as user_id),
    recorded as (${recordEach("rotated", "session-rotated", client)})
    select session_id as id from rotated`);
  return row ? { id: row.id, token: next } : null;
}

/**
 * Notes that the device was here. Repeats the staleness in its own `where`, so that of parallel
 * requests one writes. Belongs after the response: nobody waits for it.
 */
export async function touchSession(db: Db, session: Session): Promise<void> {
  await db
    .update(sessions)
    .set({
      lastSeenAt: sql`now()`,
      ip: sql`coalesce(${session.client.ip}::inet, ${sessions.ip})`,
    })
    .where(and(eq(sessions.id, session.id), touchDue));
}

/**
 * Ends one session of the acting user; false when there is none of that id, also when it is
 * another user's: the answer must not tell the two apart.
 */
export async function invalidateSession(db: Db, session: Acting, id: string): Promise<boolean> {
  const kind = id === session.id ? "logged-out" : "session-ended";
  const rows = await db.execute(sql`
    with ended as (
      delete from ${sessions} where id = ${id} and user_id = ${session.userId}
      returning id as session_id, user_id, ip, user_agent),
    recorded as (${recordEach("ended", kind, session.client)})
    select session_id from ended`);
  return rows.length === 1;
}

/**
 * Ends every session of the acting user but the acting one. Returns how many those were. Locks the user
 * first, as each statement does that ends several sessions: two that meet the rows in different orders
 * would deadlock.
 */
export async function invalidateOtherSessions(db: Db, session: Session): Promise<number> {
  const rows = await db.execute(sql`
    with owner as (select id from ${users} where id = ${session.userId} for no key update),
    ended as (
      delete from ${sessions} using owner
      where ${sessions.userId} = owner.id and ${sessions.id} <> ${session.id}
      returning ${sessions.id} as session_id, ${sessions.userId} as user_id),
    recorded as (${recordEach("ended", "other-sessions-ended", session.client)})
    select session_id from ended`);
  return rows.length;
}

/**
 * Ends every session of a user, web and app, and any login that is half-way through: the version
 * that a login must still find at its end moves on. The caller answers for the right to do so.
 */
export async function invalidateAllUserSessions(
  db: Db,
  userId: string,
  client: Client = unknownClient,
): Promise<number> {
  const rows = await db.execute(sql`
    with changed as (
      update ${users} set ${nextAuthVersion} where id = ${userId}
      returning id as user_id, null::uuid as session_id),
    ${endedSessions},
    recorded as (${recordEach(
      "changed",
      "all-sessions-ended",
      client,
      sql`jsonb_build_object('ended', (select count(*) from ended_sessions))`,
    )})
    select id from ended_sessions`);
  return rows.length;
}

/**
 * Ends every session of everybody, and every login that is half-way through; for the command line.
 * One statement. It locks all users in the order of ids, like whoever locks more than one, and
 * records it for each who was logged in, and once for the whole. Returns how many sessions those were.
 */
export async function invalidateAllSessions(db: Db): Promise<number> {
  const [row] = await db.execute<{ n: number }>(sql`
    with locked as (select id from ${users} order by id for no key update),
    bumped as (
      update ${users} set ${nextAuthVersion} from locked
      where ${users.id} = locked.id returning ${users.id} as user_id),
    ended as (
      delete from ${sessions} using bumped where ${sessions.userId} = bumped.user_id
      returning ${sessions.userId} as user_id),
    concerned as (
      select distinct user_id, null::uuid as session_id from ended union all select null, null),
    recorded as (${recordEach(
      "concerned",
      "all-sessions-ended",
      unknownClient,
      sql`'{"by": "operator", "everybody": true}'::jsonb`,
    )})
    select count(*)::int as n from ended`);
  return row?.n ?? 0;
}

/**
 * A user's live sessions, newest activity first; `limit` + 1 rows tell that there are more. The
 * caller answers for the right to see them: the user's own, or an administrator's.
 */
export async function listSessions(
  db: Db,
  { userId }: { userId: string },
  limit: number = sessionPolicy.sessionsPerUser,
): Promise<Device[]> {
  return db
    .select({
      id: sessions.id,
      kind: sessions.kind,
      amr: sessions.amr,
      persistent: sessions.persistent,
      createdAt: sessions.createdAt,
      authenticatedAt: sessions.authenticatedAt,
      lastSeenAt: sessions.lastSeenAt,
      ip: sessions.ip,
      userAgent: sessions.userAgent,
      deviceName: sessions.deviceName,
    })
    .from(sessions)
    .innerJoin(users, eq(users.id, sessions.userId))
    .where(and(eq(sessions.userId, userId), live))
    .orderBy(desc(sessions.lastSeenAt), desc(sessions.createdAt), sessions.id)
    .limit(limit)
    .prepare("list_sessions") // one round trip instead of two
    .execute();
}

/**
 * Merges keys into the acting session's `data`; a key set to undefined is left as it is. One
 * statement, so that parallel writers of different keys lose nothing. False when the session has
 * ended meanwhile. Throws when the result would pass 4 KB: that is a mistake of the caller.
 */
export async function mergeSessionData(
  db: Db,
  session: Session,
  patch: Partial<SessionData>,
): Promise<boolean> {
  const valid = JSON.stringify(sessionData.partial().strict().parse(patch));
  const rows = await db
    .update(sessions)
    .set({ data: sql`${sessions.data} || ${valid}::jsonb` })
    .where(and(eq(sessions.id, session.id), eq(sessions.userId, session.userId)))
    .returning({ id: sessions.id });
  return rows.length === 1;
}

/**
 * Housekeeping: expired rows are dead already. One DELETE by the index on `expires_at`; any number
 * of instances may run it at once. Returns how many rows went.
 */
export function deleteExpiredSessions(db: Db): Promise<number> {
  return deleteUnlocked(db, sql`expires_at < now()`);
}

/**
 * Housekeeping for the night: sessions that are not expired and yet dead, because nobody has used
 * them. A scan, since an index on `last_seen_at` would make every touch dearer.
 */
export function deleteIdleSessions(db: Db): Promise<number> {
  return deleteUnlocked(db, sql`last_seen_at <= now() - ${idle}`);
}

/** Leaves a row that another statement has locked to the next run: waiting for it could deadlock. */
async function deleteUnlocked(db: Db, which: SQL): Promise<number> {
  const [row] = await db.execute<{ n: number }>(sql`
    with dead as (select id from ${sessions} where ${which} for update skip locked),
    gone as (delete from ${sessions} using dead where ${sessions.id} = dead.id returning 1)
    select count(*)::int as n from gone`);
  return row?.n ?? 0;
}
