import { sql } from "drizzle-orm";
import { bigint, check, integer, pgTable, uniqueIndex, uuid } from "drizzle-orm/pg-core";
import { at, bytea } from "./columns";
import { sessions } from "./sessions";
import { users } from "./users";

/**
 * The secrets of authenticator apps. A user has at most one confirmed secret, which means that
 * two-factor is on. A session has at most one started secret, whose app has not shown a code yet.
 */
export const totpSecrets = pgTable(
  "totp_secrets",
  {
    id: uuid().primaryKey().defaultRandom(),
    userId: uuid("user_id")
      .notNull()
      .references(() => users.id, { onDelete: "cascade" }),
    // Sealed for this user: see lib/auth/sealing.ts.
    secret: bytea().notNull(),
    // The 30-second step of the last used code. A code of the same or an earlier step is refused.
    lastStep: bigint("last_step", { mode: "number" }).notNull().default(0),
    // Consecutive wrong codes, over all logins.
    failures: integer().notNull().default(0),
    // When two-factor was turned on. Carried over to the secret of another app.
    since: at("since").notNull().defaultNow(),
    confirmedAt: at("confirmed_at"),
    // The session that started it, the only one to see and confirm it. Null once it is confirmed.
    startedBy: uuid("started_by").references(() => sessions.id, { onDelete: "cascade" }),
    createdAt: at("created_at").notNull().defaultNow(),
  },
  (t) => [
    uniqueIndex("totp_secrets_confirmed").on(t.userId).where(sql`${t.confirmedAt} is not null`),
    uniqueIndex("totp_secrets_started_by").on(t.startedBy),
    check(
      "totp_secrets_confirmed_or_started",
      sql`(${t.confirmedAt} is null) = (${t.startedBy} is not null)`,
    ),
    check("totp_secrets_failures", sql`${t.failures} >= 0`),
  ],
);
