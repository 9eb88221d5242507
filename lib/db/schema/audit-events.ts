import { sql } from "drizzle-orm";
import {
  bigint,
  check,
  index,
  inet,
  jsonb,
  pgTable,
  text,
  uniqueIndex,
  uuid,
} from "drizzle-orm/pg-core";
import { at } from "./columns";
import { teams } from "./teams";
import { users } from "./users";

/**
 * What happened, to which user, by which actor, from where. Inserted in the
 * transaction of the change.
 */
export const auditEvents = pgTable(
  "audit_events",
  {
    id: bigint({ mode: "number" }).primaryKey().generatedAlwaysAsIdentity(),
    at: at("at").notNull().defaultNow(),
    kind: text().notNull(),
    // The account that the event is about. The event outlives the account, without naming it.
    userId: uuid("user_id").references(() => users.id, { onDelete: "set null" }),
    // The actor if not the user, such as an administrator. Null if the user acted, or before login.
    actorId: uuid("actor_id").references(() => users.id, { onDelete: "set null" }),
    // The team in which it happened, if any. The event outlives the team.
    teamId: uuid("team_id").references(() => teams.id, { onDelete: "set null" }),
    // No foreign key: the event stays when the session is deleted.
    sessionId: uuid("session_id"),
    ip: inet(),
    userAgent: text("user_agent"),
    detail: jsonb().$type<Record<string, unknown>>().notNull().default({}),
  },
  (t) => [
    // Read backwards for newest first: Drizzle would create a descending index as NULLS LAST, which
    // no `order by … desc` can use.
    index("audit_events_user").on(t.userId, t.id),
    index("audit_events_actor").on(t.actorId, t.id),
    index("audit_events_team").on(t.teamId, t.id).where(sql`${t.teamId} is not null`),
    index("audit_events_kind").on(t.kind, t.id),
    // One row counts the failures per account, kind and hour: see `recordFailure` in lib/audit.ts.
    uniqueIndex("audit_events_failures")
      .on(t.userId, t.kind, sql`date_trunc('hour', ${t.at} at time zone 'UTC')`)
      .where(sql`${t.kind} in ('log-in-failed', 'confirmation-failed')`),
    check("audit_events_user_agent_length", sql`length(${t.userAgent}) <= 512`),
  ],
);
