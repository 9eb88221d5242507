import { sql } from "drizzle-orm";
import { check, index, pgTable, primaryKey, text, uuid } from "drizzle-orm/pg-core";
import { at } from "./columns";
import { teams } from "./teams";
import { users } from "./users";

/**
 * The members of teams, with their roles. A trigger keeps at least one owner in every team, even
 * against statements that do not check (drizzle/, `team_keeps_an_owner`).
 */
export const members = pgTable(
  "members",
  {
    teamId: uuid("team_id")
      .notNull()
      .references(() => teams.id, { onDelete: "cascade" }),
    userId: uuid("user_id")
      .notNull()
      .references(() => users.id, { onDelete: "cascade" }),
    role: text({ enum: ["owner", "admin", "member"] }).notNull(),
    joinedAt: at("joined_at").notNull().defaultNow(),
  },
  (t) => [
    primaryKey({ columns: [t.teamId, t.userId] }),
    // Covers everything that a request's lookup reads of a membership (lib/teams/lookup.ts).
    index("members_user").on(t.userId, t.teamId, t.role),
    check("members_role", sql`${t.role} in ('owner', 'admin', 'member')`),
  ],
);
