import { sql } from "drizzle-orm";
import { check, foreignKey, index, pgTable, primaryKey, text, uuid } from "drizzle-orm/pg-core";
import { at } from "./columns";
import { projects } from "./projects";
import { users } from "./users";

/** Notes on a project, never on another team's: the foreign key includes `team_id`. */
export const notes = pgTable(
  "notes",
  {
    teamId: uuid("team_id").notNull(),
    projectId: uuid("project_id").notNull(),
    id: uuid().notNull().defaultRandom(),
    body: text().notNull(),
    authorId: uuid("author_id").references(() => users.id, { onDelete: "set null" }),
    createdAt: at("created_at").notNull().defaultNow(),
  },
  (t) => [
    primaryKey({ columns: [t.teamId, t.id] }),
    foreignKey({
      name: "notes_project",
      columns: [t.teamId, t.projectId],
      foreignColumns: [projects.teamId, projects.id],
    }).onDelete("cascade"),
    index("notes_newest").on(t.teamId, t.projectId, t.createdAt, t.id),
    index("notes_author").on(t.authorId),
    check("notes_body_length", sql`length(${t.body}) between 1 and 5000`),
  ],
);
