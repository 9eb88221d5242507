import { and, desc, eq, inArray, lt, or, type SQL, sql } from "drizzle-orm";
import { alias } from "drizzle-orm/pg-core";
import { auditEvents } from "@/lib/db/schema/audit-events";
import { teams } from "@/lib/db/schema/teams";
import { users } from "@/lib/db/schema/users";
import type { Db } from "./db/client";
import type { Client } from "./http";

/** The kinds of events of an account, one per line. Their labels are in app/. */
export type AuditKind =
  | "signed-up"
  | "logged-in"
  | "log-in-failed"
  | "browser-confirmed"
  | "logged-out"
  | "session-ended"
  | "other-sessions-ended"
  | "all-sessions-ended"
  | "session-rotated"
  | "session-replaced"
  | "session-confirmed"
  | "confirmation-failed"
  | "name-changed"
  | "data-exported"
  | "password-changed"
  | "password-reset"
  | "email-change-requested"
  | "email-changed"
  | "email-restored"
  | "login-disowned"
  | "role-changed"
  | "suspended"
  | "reinstated"
  | "reset-sent"
  | "refresh-token-reused"
  | "api-key-created"
  | "api-key-revoked"
  | "second-factor-failed"
  | "password-retired"
  | "two-factor-on"
  | "two-factor-moved"
  | "two-factor-off"
  | "recovery-codes-renewed"
  | "recovery-code-used"
  | "passkey-added"
  | "passkey-removed"
  | "passkeys-removed"
  | "passkey-refused"
  | "password-set"
  | "password-removed"
  | "account-connected"
  | "account-disconnected"
  | "account-deleted"
  | TeamEventKind;

/** What happens in a team. Every kind starts with `team-`: see `byAdmin`. */
export type TeamEventKind =
  | "team-created"
  | "team-renamed"
  | "team-strong-required"
  | "team-strong-optional"
  | "team-data-exported"
  | "team-deleted"
  | "team-invited"
  | "team-invitation-sent-again"
  | "team-invitation-revoked"
  | "team-invitation-declined"
  | "team-joined"
  | "team-left"
  | "team-member-removed"
  | "team-role-changed"
  | "team-owner-made"
  | "team-key-created"
  | "team-key-revoked"
  | "team-billing-opened"
  | "team-plan-given"
  | "team-plan-taken-back"
  | "team-subscribed"
  | "team-billing-changed"
  | "team-payment-failed"
  | "team-second-subscription"
  | "team-plan-ended";

/** Kinds of events that concern a team and no user. In other kinds, no user means a deleted one. */
export const kindsOfNoUser: ReadonlySet<AuditKind> = new Set<AuditKind>([
  "team-plan-given",
  "team-plan-taken-back",
  "team-subscribed",
  "team-billing-changed",
  "team-payment-failed",
  "team-second-subscription",
  "team-plan-ended",
]);

/** Marks an event about all users in `detail`. Not renamed, because earlier rows have this key. */
export const allUsersKey = "everybody";

/** For events that no request caused. */
export const unknownClient: Client = { ip: null, userAgent: null };

/**
 * Returns the end of a statement whose CTE `from` returns `user_id` and `session_id` of the rows it
 * changed. It inserts one event per changed row, so that a change and its event commit or roll back
 * together. `actorId` is the actor if it is not the user: an administrator, or a member of
 * `teamId`.
 */
export function recordEach(
  from: string,
  kind: AuditKind,
  client: Client,
  detail: SQL = sql`'{}'::jsonb`,
  actorId: string | null = null,
  teamId: string | null = null,
): SQL {
  return sql`insert into ${auditEvents} (kind, user_id, actor_id, team_id, session_id, ip, user_agent, detail)
    select ${kind}::text, user_id, ${actorId}::uuid, ${teamId}::uuid, session_id, ${client.ip}::inet, left(${client.userAgent}::text, 512), ${detail}
    from ${sql.identifier(from)}`;
}

/**
 * Counts a wrong password in one row per account, kind and hour (UTC), so that an attacker cannot
 * flood the table. The row has the time, IP address and user agent of the latest one. Writes
 * nothing for an email without an account: call it after the response, so that the response time
 * does not reveal this.
 */
export async function recordFailure(
  db: Db,
  kind: "log-in-failed" | "confirmation-failed",
  user: { email: string } | { userId: string; sessionId: string },
  client: Client,
): Promise<void> {
  const [is, sessionId] =
    "email" in user
      ? [eq(users.email, user.email), null]
      : [eq(users.id, user.userId), user.sessionId];
  // Lock the user first: account deletion locks the user and then these rows.
  await db.execute(sql`
    with failed as (select ${users.id} as user_id from ${users} where ${is} for no key update)
    insert into ${auditEvents} as e (kind, user_id, session_id, ip, user_agent, detail)
    select ${kind}::text, user_id, ${sessionId}::uuid, ${client.ip}::inet,
      left(${client.userAgent}::text, 512), '{"count": 1}'::jsonb
    from failed
    on conflict (user_id, kind, date_trunc('hour', at at time zone 'UTC'))
      where kind in ('log-in-failed', 'confirmation-failed')
    do update set at = excluded.at, session_id = excluded.session_id, ip = excluded.ip,
      user_agent = excluded.user_agent,
      detail = jsonb_build_object('count', (e.detail->>'count')::int + 1)`);
}

export type AuditEvent = {
  id: number;
  at: Date;
  kind: AuditKind;
  ip: string | null;
  userAgent: string | null;
  /** How many failures of an hour share the row; null for other events. */
  count: number | null;
  /** Whether an administrator did it. Their IP address and user agent are hidden from the user. */
  byAdmin: boolean;
};

// `by` in `detail` says so even after the actor was deleted: see lib/admin/actions.ts. In a team,
// the actor is another member.
const byAdmin = sql<boolean>`${auditEvents.detail} ? 'by'
  or (${auditEvents.actorId} is not null and ${auditEvents.kind} not like 'team-%')`;

const byUser = sql`(${auditEvents.actorId} is null and not ${auditEvents.detail} ? 'by')`;

/** Returns a user's own events, newest first. `before` is the last id of the previous page. */
export async function listEvents(
  db: Db,
  userId: string,
  page: { kinds?: AuditKind[]; before?: number; limit: number },
): Promise<AuditEvent[]> {
  const rows = await db
    .select({
      id: auditEvents.id,
      at: auditEvents.at,
      kind: auditEvents.kind,
      ip: sql<string | null>`case when ${byUser} then host(${auditEvents.ip}) end`,
      userAgent: sql<string | null>`case when ${byUser} then ${auditEvents.userAgent} end`,
      count: sql<number | null>`(${auditEvents.detail}->>'count')::int`,
      byAdmin,
    })
    .from(auditEvents)
    .where(
      and(
        eq(auditEvents.userId, userId),
        page.kinds && inArray(auditEvents.kind, page.kinds),
        page.before === undefined ? undefined : lt(auditEvents.id, page.before),
      ),
    )
    .orderBy(desc(auditEvents.id))
    .limit(page.limit);
  // Only recordEach, recordFailure and the demo data write this column, always with an AuditKind.
  return rows.map((row) => ({ ...row, kind: row.kind as AuditKind }));
}

/** An account or actor, by id and email. Null if there is none, or if the user was deleted. */
type UserRef = { id: string; email: string } | null;

export type AuditEntry = {
  id: number;
  at: Date;
  kind: AuditKind;
  ip: string | null;
  userAgent: string | null;
  detail: Record<string, unknown>;
  user: UserRef;
  actor: UserRef;
  /** Null also if the team was deleted. */
  team: { id: string; name: string } | null;
};

/**
 * Returns all users' events, newest first, for administrators; with `userId`, those of that account
 * and those in which this user acted on others. `before` is the last id of the previous page.
 */
export async function listAllEvents(
  db: Db,
  page: { userId?: string; kind?: AuditKind; before?: number; limit: number },
): Promise<AuditEntry[]> {
  const actors = alias(users, "actors");
  const older = page.before === undefined ? undefined : lt(auditEvents.id, page.before);
  const ofKind = page.kind && eq(auditEvents.kind, page.kind);
  // Each index returns only its newest rows, so not all events of a user are read.
  const newestBy = (column: typeof auditEvents.userId | typeof auditEvents.actorId) =>
    db
      .select({ id: auditEvents.id })
      .from(auditEvents)
      .where(and(eq(column, page.userId ?? ""), ofKind, older))
      .orderBy(desc(auditEvents.id))
      .limit(page.limit);
  const concerned =
    page.userId &&
    or(
      inArray(auditEvents.id, sql`(${newestBy(auditEvents.userId)})`),
      inArray(auditEvents.id, sql`(${newestBy(auditEvents.actorId)})`),
    );

  const rows = await db
    .select({
      id: auditEvents.id,
      at: auditEvents.at,
      kind: auditEvents.kind,
      ip: auditEvents.ip,
      userAgent: auditEvents.userAgent,
      detail: auditEvents.detail,
      user: { id: users.id, email: users.email },
      actor: { id: actors.id, email: actors.email },
      team: { id: teams.id, name: teams.name },
    })
    .from(auditEvents)
    .leftJoin(users, eq(users.id, auditEvents.userId))
    .leftJoin(actors, eq(actors.id, auditEvents.actorId))
    .leftJoin(teams, eq(teams.id, auditEvents.teamId))
    .where(and(concerned || undefined, ofKind, older))
    .orderBy(desc(auditEvents.id))
    .limit(page.limit);
  return rows.map((row) => ({ ...row, kind: row.kind as AuditKind }));
}

/** Housekeeping: deletes events older than `retention` milliseconds. */
export async function deleteExpiredEvents(db: Db, retention: number): Promise<void> {
  await db
    .delete(auditEvents)
    .where(sql`${auditEvents.at} < now() - ${retention / 1000} * interval '1 second'`);
}
