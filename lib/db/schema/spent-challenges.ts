import { sql } from "drizzle-orm";
import { check, index, pgTable } from "drizzle-orm/pg-core";
import { at, bytea } from "./columns";

/** Challenges of passkeys that were used. They are good for minutes; a row outlives its challenge. */
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
