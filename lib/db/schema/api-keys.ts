import { sql } from "drizzle-orm";
import { check, index, pgTable, text, uniqueIndex, uuid } from "drizzle-orm/pg-core";
import { at, bytea } from "./columns";
import { users } from "./users";

/**
 * Users' API keys, for machines. A lookup reads the owner's role and status too, so
 * keys end with the owner.
 */
export const apiKeys = pgTable(
  "api_keys",
  {
    id: uuid().primaryKey().defaultRandom(),
    userId: uuid("user_id")
      .notNull()
      .references(() => users.id, { onDelete: "cascade" }),
    name: text().notNull(),
    // The key's first characters, by which the owner recognises it. Too few to guess the rest.
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
    uniqueIndex("api_keys_key_hash").on(t.keyHash),
    index("api_keys_user_id").on(t.userId),
    check("api_keys_key_hash_length", sql`octet_length(${t.keyHash}) = 32`),
    check("api_keys_name_length", sql`length(${t.name}) between 1 and 100`),
  ],
);
