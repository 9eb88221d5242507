import { sql } from "drizzle-orm";
import { check, index, pgTable, text, uniqueIndex } from "drizzle-orm/pg-core";
import { at, bytea } from "./columns";

/** An email that was entered at sign-up and whose link was not used yet. Not a user. */
export const pendingSignUps = pgTable(
  "pending_sign_ups",
  {
    // One per email: the newest link is the only one that works.
    email: text().primaryKey(),
    tokenHash: bytea("token_hash").notNull(),
    createdAt: at("created_at").notNull().defaultNow(),
    expiresAt: at("expires_at").notNull(),
  },
  (t) => [
    uniqueIndex("pending_sign_ups_token_hash").on(t.tokenHash),
    index("pending_sign_ups_expires_at").on(t.expiresAt),
    check("pending_sign_ups_token_hash_length", sql`octet_length(${t.tokenHash}) = 32`),
  ],
);
