import { type SQL, sql } from "drizzle-orm";
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
