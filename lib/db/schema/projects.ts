import { sql } from "drizzle-orm";
import { check, index, pgTable, primaryKey, text, uuid } from "drizzle-orm/pg-core";
import { at } from "./columns";
import { teams } from "./teams";
import { users } from "./users";

/** An example of a product's table. As in every table of a team, the key begins with `team_id`. */
export const projects = pgTable(
  "projects",
  {
    teamId: uuid("team_id")
      .notNull()
      .references(() => teams.id, { onDelete: "cascade" }),
    id: uuid().notNull().defaultRandom(),
    name: text().notNull(),
    // Null if it is not archived.
    archivedAt: at("archived_at"),
    createdBy: uuid("created_by").references(() => users.id, { onDelete: "set null" }),
    createdAt: at("created_at").notNull().defaultNow(),
  },
  (t) => [
    primaryKey({ columns: [t.teamId, t.id] }),
    // For the list, newest first. Read backwards, as in lib/db/schema/audit-events.ts.
    index("projects_newest").on(t.teamId, t.createdAt, t.id),
    index("projects_created_by").on(t.createdBy),
    check("projects_name_length", sql`length(${t.name}) between 1 and 100`),
  ],
);
