import { sql } from "drizzle-orm";
import { boolean, check, index, integer, pgTable, text, uuid } from "drizzle-orm/pg-core";
import { at, bytea } from "./columns";
import { users } from "./users";

/**
 * Logins that wait for the second factor. They are not sessions: they give access only to
 * the pages for the code.
 */
export const pendingLogins = pgTable(
  "pending_logins",
  {
    // SHA-256 of the cookie's token.
    tokenHash: bytea("token_hash").primaryKey(),
    // The user whose second factor is checked. No form names a user.
    userId: uuid("user_id")
      .notNull()
      .references(() => users.id, { onDelete: "cascade" }),
    // The user's auth_version when the first factor was checked: see sessions.
    authVersion: integer("auth_version").notNull(),
    // How the first factor was proved.
    amr: text().array().notNull(),
    persistent: boolean().notNull(),
    begunWith: uuid("begun_with"),
    // Incremented before a code is compared.
    attempts: integer().notNull().default(0),
    createdAt: at("created_at").notNull().defaultNow(),
    expiresAt: at("expires_at").notNull(),
  },
  (t) => [
    index("pending_logins_user_id").on(t.userId),
    index("pending_logins_expires_at").on(t.expiresAt),
    check("pending_logins_token_hash_length", sql`octet_length(${t.tokenHash}) = 32`),
  ],
);
