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
 * Owns the end of sessions: one, the others, all of a user, all there are; and the housekeeping of those
 * that have ended by themselves. The security fact: a statement names the user beside the session, so
 * it never ends another user's. Lock order: users, then sessions.
 */

/**
 * Ends one session of the acting user; false when there is none of that id, also when it is
 * another user's: the answer must not tell the two apart.
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
 * Ends the sessions of all users, and every login that is in progress; for the command line. One
 * statement. It locks all users in id order, as every statement does that locks more than one, and
 * records it for each user who was logged in, and once for the whole. Returns how many sessions those were.
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
 * Housekeeping: expired rows are dead already. One DELETE by the index on `expires_at`; any number
 * of instances may run it at once. Returns how many rows went.
 */
export function deleteExpiredSessions(db: Db): Promise<number> {
  return deleteUnlocked(db, sql`expires_at < now()`);
}

/**
 * Housekeeping for the night: sessions that are not expired and yet dead, because they were idle
 * too long. A scan, since an index on `last_seen_at` would make every touch dearer.
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
