import { sql } from "drizzle-orm";
import { check, index, integer, pgTable } from "drizzle-orm/pg-core";
import { at, bytea } from "./columns";

/** Consecutive failed attempts to log in to one email. See lib/auth/login/attempts.ts. */
export const logInAttempts = pgTable(
  "log_in_attempts",
  {
    // SHA-256 of the email, with or without an account, so that the table does not list users.
    emailHash: bytea("email_hash").primaryKey(),
    // Incremented before the password is checked, and reset by a success.
    failures: integer().notNull(),
    // GCRA's theoretical arrival time, as in rate_limits. Never earlier than the last try.
    tat: at("tat").notNull(),
  },
  (t) => [
    index("log_in_attempts_tat").on(t.tat),
    check("log_in_attempts_email_hash_length", sql`octet_length(${t.emailHash}) = 32`),
  ],
);
