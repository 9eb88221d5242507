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
 * Owns the INSERT of a session. The security facts: it needs the `auth_version` that was read together
 * with the proof, so a login that overlaps with "log out everywhere" or a new password starts no
 * session; and it refuses a user with two-factor without a second factor, whatever its caller has
 * checked. Lock order: users, then sessions. Who may call it is held by tests/layers.test.ts.
 */

export type NewSession = {
  userId: string;
  /** As it was when the password was checked: if it has changed since, no session is made. */
  authVersion: number;
  /** The ways of the proof: see `isStrong`. */
  amr: string[];
  persistent: boolean;
  /** The passkey or connected account that the user logged in with. */
  begunWith?: string | null;
  /** The token the browser already had. It ends here, so that none can be planted (fixation). */
  presented: string | null;
  client: Client;
};

/**
 * Logs a user in, whose proof the caller has checked. Returns the new token and the id of the audit
 * event, or null when the user was suspended or logged out everywhere since (`authVersion`), or has
 * two-factor and `amr` no second factor: then nothing is changed. Ends the presented session, and the
 * longest unseen beyond the cap.
 *
 * Two statements, because the first must hold the user's lock before the second takes its
 * snapshot: in one, parallel logins each count the sessions before the others' and pass the cap, and
 * miss the two-factor that was turned on while they waited.
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

/** The same for an app, which has refresh tokens instead: lib/auth/tokens/refresh.ts makes the first. */
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
