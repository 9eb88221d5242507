import { type SQL, sql } from "drizzle-orm";
import type { Actor } from "@/lib/actor";
import { allUsersKey, recordEach, unknownClient } from "@/lib/audit";
import { endedSessions, nextAuthVersion } from "@/lib/auth/revocation";
import type { Db } from "@/lib/db/client";
import { sessions } from "@/lib/db/schema/sessions";
import { users } from "@/lib/db/schema/users";
import type { Client } from "@/lib/http";
import { idle } from "./live";
import type { Session } from "./lookup";

/*
 * Ends sessions: one, all others of a user, all of a user, or all that exist. Also deletes the rows
 * of sessions that have expired. Security: a statement that ends a given session also filters by
 * its user, so it never ends another user's session. Lock order: users, then sessions.
 */

/**
 * Ends one session of the acting user. Returns false if there is none with this id, also if it
 * belongs to another user: the answer must not tell the two apart.
 */
export async function invalidateSession(db: Db, actor: Actor, id: string): Promise<boolean> {
  const kind = id === actor.id ? "logged-out" : "session-ended";
  const rows = await db.execute(sql`
    with ended as (
      delete from ${sessions} where id = ${id} and user_id = ${actor.userId}
      returning id as session_id, user_id, ip, user_agent),
    recorded as (${recordEach("ended", kind, actor.client)})
    select session_id from ended`);
  return rows.length === 1;
}

/**
 * Ends every session of the acting user except the acting one. Returns how many sessions it ended.
 * Locks the user first, like every statement that ends several sessions: two statements that lock
 * the rows in different orders would deadlock.
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
 * Ends every session of a user, web and app, and every login in progress, by advancing the version
 * that a login must still find at its end. Returns how many sessions it ended. The caller is
 * responsible for authorization.
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
 * Ends the sessions of all users, and every login in progress; for the command line. Uses one
 * statement. Locks all users in id order, like every statement that locks more than one. Records
 * one event for each user who was logged in, and one for the whole operation. Returns how many
 * sessions it ended.
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
      sql`jsonb_build_object('by', 'operator', ${allUsersKey}::text, true)`,
    )})
    select count(*)::int as n from ended`);
  return row?.n ?? 0;
}

/**
 * Housekeeping: deletes expired sessions, which no longer count, and returns how many. One DELETE
 * that uses the index on `expires_at`; any number of instances may run it at once.
 */
export function deleteExpiredSessions(db: Db): Promise<number> {
  return deleteUnlocked(db, sql`expires_at < now()`);
}

/**
 * Nightly housekeeping: deletes sessions that have not expired but were idle too long, so that they
 * no longer count. Scans the table, since an index on `last_seen_at` would make every touch slower.
 */
export function deleteIdleSessions(db: Db): Promise<number> {
  return deleteUnlocked(db, sql`last_seen_at <= now() - ${idle}`);
}

/** Leaves rows locked by another statement to the next run: waiting for them could deadlock. */
async function deleteUnlocked(db: Db, which: SQL): Promise<number> {
  const [row] = await db.execute<{ n: number }>(sql`
    with dead as (select id from ${sessions} where ${which} for update skip locked),
    gone as (delete from ${sessions} using dead where ${sessions.id} = dead.id returning 1)
    select count(*)::int as n from gone`);
  return row?.n ?? 0;
}
