import { sql } from "drizzle-orm";
import { check, index, pgTable, primaryKey, text, uniqueIndex, uuid } from "drizzle-orm/pg-core";
import { at, bytea } from "./columns";
import { teams } from "./teams";
import { users } from "./users";

/** API keys of a team. They outlive the membership of the user who made them. */
export const teamKeys = pgTable(
  "team_keys",
  {
    teamId: uuid("team_id")
      .notNull()
      .references(() => teams.id, { onDelete: "cascade" }),
    id: uuid().notNull().defaultRandom(),
    createdBy: uuid("created_by").references(() => users.id, { onDelete: "set null" }),
    name: text().notNull(),
    // The key's first characters, by which members recognise it. Too few to guess the rest.
    prefix: text().notNull(),
    keyHash: bytea("key_hash").notNull(),
    scopes: text().array().notNull(),
    createdAt: at("created_at").notNull().defaultNow(),
    // Null if the key is valid until it is revoked.
    expiresAt: at("expires_at"),
    // Updated at most every few minutes. Never index it, as with `last_seen_at` of sessions.
    lastUsedAt: at("last_used_at"),
  },
  (t) => [
    primaryKey({ columns: [t.teamId, t.id] }),
    uniqueIndex("team_keys_key_hash").on(t.keyHash),
    index("team_keys_created_by").on(t.createdBy),
    check("team_keys_key_hash_length", sql`octet_length(${t.keyHash}) = 32`),
    check("team_keys_name_length", sql`length(${t.name}) between 1 and 100`),
  ],
);
