import { index, pgTable, text } from "drizzle-orm/pg-core";
import { at } from "./columns";

/** The state of the rate limiter: one row per recently used key. See lib/rate-limits.ts. */
export const rateLimits = pgTable(
  "rate_limits",
  {
    // A hash: neither IP addresses nor accounts can be read from it.
    key: text().primaryKey(),
    // GCRA's theoretical arrival time: when the key's full burst is available again.
    tat: at("tat").notNull(),
  },
  (t) => [index("rate_limits_tat").on(t.tat)],
);
