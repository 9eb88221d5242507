import { sql } from "drizzle-orm";
import { check, index, integer, pgTable, text, uniqueIndex, uuid } from "drizzle-orm/pg-core";
import { at, bytea } from "./columns";

export const users = pgTable(
  "users",
  {
    id: uuid().primaryKey().defaultRandom(),
    // Normalised by lib/fields.ts before it gets here; the constraint catches who forgot.
    email: text().notNull(),
    name: text().notNull(),
    role: text({ enum: ["user", "admin"] })
      .notNull()
      .default("user"),
    // Suspension is part of the live predicate, so it ends every session at the next request.
    status: text({ enum: ["active", "suspended"] })
      .notNull()
      .default("active"),
    // Why, in the words of who suspended them; shown to administrators alone.
    suspensionReason: text("suspension_reason"),
    // A session that was confirmed before this has no sudo: more rights want a fresh proof.
    roleRaisedAt: at("role_raised_at"),
    // Bumped to end all sessions at once, including a login that is half-way through.
    authVersion: integer("auth_version").notNull().default(1),
    // Part of the cookie of every known browser. Bumped, no browser is known to this account any more.
    browserEpoch: integer("device_epoch").notNull().default(1),
    // What passkeys call the user: random, the same in all of them, and no id or email.
    passkeyHandle: bytea("passkey_handle")
      .notNull()
      .default(sql`uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())`),
    createdAt: at("created_at").notNull().defaultNow(),
  },
  (t) => [
    // Partial, though its condition always holds: the columns of a whole unique index are a key to
    // Postgres, and an update of a key locks out every row that refers to the user. A change of
    // email then deadlocks with a statement that locks a session first and writes its audit event
    // second. (tests/lib/auth/lock-order.test.ts)
    uniqueIndex("users_email").on(t.email).where(sql`${t.email} is not null`),
    // For the administration's list, its newest first, and its search in the middle of words.
    index("users_newest").on(t.createdAt, t.id),
    index("users_search").using("gin", sql`(${t.email} || ' ' || lower(${t.name})) gin_trgm_ops`),
    index("users_admins").on(t.id).where(sql`${t.role} = 'admin'`),
    index("users_suspended").on(t.createdAt, t.id).where(sql`${t.status} = 'suspended'`),
    check(
      "users_email_normalised",
      sql`${t.email} = lower(${t.email} collate "C") and length(${t.email}) <= 254`,
    ),
    check("users_name_length", sql`length(${t.name}) between 1 and 100`),
    check("users_role", sql`${t.role} in ('user', 'admin')`),
    check("users_status", sql`${t.status} in ('active', 'suspended')`),
    check("users_passkey_handle_length", sql`octet_length(${t.passkeyHandle}) = 32`),
    check("users_suspension_reason_length", sql`length(${t.suspensionReason}) <= 300`),
  ],
);
