import { sql } from "drizzle-orm";
import { check, pgTable, primaryKey, uuid } from "drizzle-orm/pg-core";
import { at, bytea } from "./columns";
import { users } from "./users";

/** Recovery codes. Each replaces the authenticator app once; a used code is deleted. */
export const recoveryCodes = pgTable(
  "recovery_codes",
  {
    userId: uuid("user_id")
      .notNull()
      .references(() => users.id, { onDelete: "cascade" }),
    // SHA-256. 120 random bits need no salt and no slow hash.
    codeHash: bytea("code_hash").notNull(),
    createdAt: at("created_at").notNull().defaultNow(),
  },
  (t) => [
    primaryKey({ columns: [t.userId, t.codeHash] }),
    check("recovery_codes_code_hash_length", sql`octet_length(${t.codeHash}) = 32`),
  ],
);
