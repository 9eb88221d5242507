import { and, desc, eq, inArray, lt, type SQL, sql } from "drizzle-orm";
import type { Db } from "./db/client";
import { auditEvents } from "./db/schema";

/** One line per thing that can happen to an account; the words for people are in app/. */
export type AuditKind =
  | "signed-up"
  | "logged-in"
  | "logged-out"
  | "session-ended"
  | "other-sessions-ended"
  | "all-sessions-ended"
  | "session-rotated"
  | "name-changed"
  | "password-changed"
  | "password-reset"
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
  | "account-deleted";

/** Where a request came from; null where it is not known. */
export type Client = { ip: string | null; userAgent: string | null };

export const unknownClient: Client = { ip: null, userAgent: null };

/**
 * The tail of a statement whose CTE `from` returned `user_id` and `session_id` of what it changed:
 * one event per changed row, so that the change and its trail stand or fall together.
 */
export function recordEach(
  from: string,
  kind: AuditKind,
  client: Client,
  detail: SQL = sql`'{}'::jsonb`,
): SQL {
  return sql`insert into ${auditEvents} (kind, user_id, session_id, ip, user_agent, detail)
    select ${kind}::text, user_id, session_id, ${client.ip}::inet, left(${client.userAgent}::text, 512), ${detail}
    from ${sql.identifier(from)}`;
}

export type AuditEvent = {
  id: number;
  at: Date;
  kind: AuditKind;
  ip: string | null;
  userAgent: string | null;
  detail: Record<string, unknown>;
};

/** A user's own trail, newest first; `before` is the id where the page before it ended. */
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
      ip: auditEvents.ip,
      userAgent: auditEvents.userAgent,
      detail: auditEvents.detail,
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
  // Only recordEach writes this column, and it takes an AuditKind.
  return rows.map((row) => ({ ...row, kind: row.kind as AuditKind }));
}

/** Housekeeping: events older than `retention` milliseconds. */
export async function deleteExpiredEvents(db: Db, retention: number): Promise<void> {
  await db
    .delete(auditEvents)
    .where(sql`${auditEvents.at} < now() - ${retention / 1000} * interval '1 second'`);
}
