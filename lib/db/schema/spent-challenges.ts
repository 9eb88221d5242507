import { sql } from "drizzle-orm";
import { check, index, pgTable } from "drizzle-orm/pg-core";
import { at, bytea } from "./columns";

/** Used passkey challenges. A challenge is valid for minutes, and its row outlives it. */
export const spentChallenges = pgTable(
  "spent_challenges",
  {
    hash: bytea().primaryKey(),
    expiresAt: at("expires_at").notNull(),
  },
  (t) => [
    index("spent_challenges_expires_at").on(t.expiresAt),
    check("spent_challenges_hash_length", sql`octet_length(${t.hash}) = 32`),
  ],
);
