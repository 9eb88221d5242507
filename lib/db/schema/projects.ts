import { sql } from "drizzle-orm";
import { check, index, pgTable, primaryKey, text, uuid } from "drizzle-orm/pg-core";
import { at } from "./columns";
import { teams } from "./teams";
import { users } from "./users";

/** The example of a product's table. Like every table of a team it has `team_id` first in its key. */
export const projects = pgTable(
  "projects",
  {
    teamId: uuid("team_id")
      .notNull()
      .references(() => teams.id, { onDelete: "cascade" }),
    id: uuid().notNull().defaultRandom(),
    name: text().notNull(),
    // Null: it is not archived.
    archivedAt: at("archived_at"),
    createdBy: uuid("created_by").references(() => users.id, { onDelete: "set null" }),
    createdAt: at("created_at").notNull().defaultNow(),
  },
  (t) => [
    primaryKey({ columns: [t.teamId, t.id] }),
    // The list, the newest first; read backwards, as in lib/db/schema/audit-events.ts.
    index("projects_newest").on(t.teamId, t.createdAt, t.id),
    index("projects_created_by").on(t.createdBy),
    check("projects_name_length", sql`length(${t.name}) between 1 and 100`),
  ],
);
