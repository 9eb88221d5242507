import { index, pgTable, text } from "drizzle-orm/pg-core";
import { at } from "./columns";

/** The limiter's memory: a row per key that was used lately. See lib/rate-limits.ts. */
export const rateLimits = pgTable(
  "rate_limits",
  {
    // A hash: neither IP addresses nor accounts can be read from it.
    key: text().primaryKey(),
    // GCRA's theoretical arrival time: when the key will have nothing left to pay off.
    tat: at("tat").notNull(),
  },
  (t) => [index("rate_limits_tat").on(t.tat)],
);
