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

/** What happened, to which user, by which actor, from where. Written in the transaction of the change itself. */
export const auditEvents = pgTable(
  "audit_events",
  {
    id: bigint({ mode: "number" }).primaryKey().generatedAlwaysAsIdentity(),
    at: at("at").notNull().defaultNow(),
    kind: text().notNull(),
    // Whose account. The event outlives the account, without naming it.
    userId: uuid("user_id").references(() => users.id, { onDelete: "set null" }),
    // The administrator who acted; null where the user did, or before login.
    actorId: uuid("actor_id").references(() => users.id, { onDelete: "set null" }),
    // The team that it happened in, where it did. The event outlives the team.
    teamId: uuid("team_id").references(() => teams.id, { onDelete: "set null" }),
    // No foreign key: the event stays when the session goes.
    sessionId: uuid("session_id"),
    ip: inet(),
    userAgent: text("user_agent"),
    detail: jsonb().$type<Record<string, unknown>>().notNull().default({}),
  },
  (t) => [
    // Read backwards for the newest first: Drizzle would make a descending one NULLS LAST, which no
    // `order by … desc` can use.
    index("audit_events_user").on(t.userId, t.id),
    index("audit_events_actor").on(t.actorId, t.id),
    index("audit_events_team").on(t.teamId, t.id).where(sql`${t.teamId} is not null`),
    index("audit_events_kind").on(t.kind, t.id),
    // Failures are counted in one row per account, kind and hour: see `recordFailure` in lib/audit.ts.
    uniqueIndex("audit_events_failures")
      .on(t.userId, t.kind, sql`date_trunc('hour', ${t.at} at time zone 'UTC')`)
      .where(sql`${t.kind} in ('log-in-failed', 'confirmation-failed')`),
    check("audit_events_user_agent_length", sql`length(${t.userAgent}) <= 512`),
  ],
);
