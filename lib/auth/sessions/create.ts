import { sql } from "drizzle-orm";
import { recordEach } from "@/lib/audit";
import { sessionPolicy } from "@/lib/auth/policy";
import { hashToken, newToken } from "@/lib/auth/secrets";
import type { Db } from "@/lib/db/client";
import { sessions } from "@/lib/db/schema/sessions";
import { users } from "@/lib/db/schema/users";
import { interval } from "@/lib/db/sql";
import type { Client } from "@/lib/http";
import { hasTwoFactor, idle, strongIn } from "./live";

/*
 * Inserts sessions. Security: the INSERT requires the `auth_version` that was read together with
 * the proof, so a login that overlaps with "log out everywhere" or a password change creates no
 * session. It also refuses a user with two-factor who gave no second factor, whatever the caller
 * has checked. Lock order: users, then sessions. tests/layers.test.ts restricts the callers.
 */

export type NewSession = {
  userId: string;
  /** The version when the proof was checked. If it has changed since, no session is created. */
  authVersion: number;
  /** How the user proved their identity: see `isStrong`. */
  amr: string[];
  persistent: boolean;
  /** The passkey or connected account that the user logged in with. */
  begunWith?: string | null;
  /** The browser's previous token. Its session ends, so a planted token is useless (fixation). */
  presented: string | null;
  client: Client;
};

/**
 * Logs in a user whose proof the caller has checked. Returns the session's id, the new token and
 * the id of the audit event. Returns null and changes nothing if the user was suspended or logged
 * out everywhere since the proof (`authVersion`), or has two-factor and `amr` contains no second
 * factor. Ends the presented session, and the least recently seen sessions beyond the cap.
 *
 * Uses two statements, because the first must hold the user's lock before the second takes its
 * snapshot. In a single statement, parallel logins would each miss the other's session and exceed
 * the cap, and would miss two-factor that was turned on while they waited.
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

/**
 * Like `createSession`, for an app. An app has refresh tokens instead of a session token:
 * lib/auth/tokens/refresh.ts creates the first.
 */
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
    kind: "web" | "app";
    tokenHash: Buffer | null;
    absolute: number;
    deviceName: string | null;
  },
): Promise<{ id: string; event: number } | null> {
  const amr = sql`${sql.param(session.amr)}::text[]`;
  const presentedHash = session.presented ? hashToken(session.presented) : null;

  return db.transaction(async (tx) => {
    const [user] = await tx.execute(sql`
      select id from ${users}
      where id = ${session.userId} and auth_version = ${session.authVersion} and status = 'active'
      for no key update`);
    if (!user) return null;

    const [created] = await tx.execute<{ id: string; event: number }>(sql`
      with allowed as (
        select where ${strongIn(amr)} or not ${hasTwoFactor(sql`${session.userId}::uuid`)}),
      presented as (
        delete from ${sessions} where token_hash = ${presentedHash} and exists (select from allowed)
        returning id as session_id, user_id, expires_at > now()
          and last_seen_at > now() - ${idle} as is_live),
      replaced as (select session_id, user_id from presented where is_live),
      recorded_replaced as (${recordEach("replaced", "session-replaced", session.client)}),
      evicted as (
        delete from ${sessions} where id in (
          select id from ${sessions}
          where user_id = ${session.userId} and (token_hash = ${presentedHash}) is not true
            and exists (select from allowed)
          order by last_seen_at desc offset ${sessionPolicy.sessionsPerUser - 1})
        returning id),
      created as (
        insert into ${sessions}
          (user_id, kind, token_hash, auth_version, amr, last_proof, begun_with, persistent,
            expires_at, ip, user_agent, device_name)
        select ${session.userId}::uuid, ${row.kind}::text, ${row.tokenHash}::bytea,
          ${session.authVersion}::int, ${amr}, ${amr}, ${session.begunWith ?? null}::uuid,
          ${session.persistent}::boolean, now() + ${interval(row.absolute)},
          ${session.client.ip}::inet, left(${session.client.userAgent}::text, 512),
          ${row.deviceName}::text
        from allowed
        returning id, id as session_id, user_id),
      recorded as (${recordEach(
        "created",
        "logged-in",
        session.client,
        sql`jsonb_build_object('evicted', (select count(*) from evicted))`,
      )} returning id)
      select id, (select id::int from recorded) as event from created`);
    return created ?? null;
  });
}
