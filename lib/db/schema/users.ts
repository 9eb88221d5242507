import { sql } from "drizzle-orm";
import { check, index, integer, pgTable, text, uniqueIndex, uuid } from "drizzle-orm/pg-core";
import { at, bytea } from "./columns";

export const users = pgTable(
  "users",
  {
    id: uuid().primaryKey().defaultRandom(),
    // Normalised by lib/fields.ts before it gets here; the constraint catches code that forgot to.
    email: text().notNull(),
    name: text().notNull(),
    role: text({ enum: ["user", "admin"] })
      .notNull()
      .default("user"),
    // Suspension is part of the live predicate, so it ends every session at the next request.
    status: text({ enum: ["active", "suspended"] })
      .notNull()
      .default("active"),
    // The reason, in the suspending administrator's words. Shown to administrators only.
    suspensionReason: text("suspension_reason"),
    // A session confirmed before this time has no sudo: a higher role requires a new proof.
    roleRaisedAt: at("role_raised_at"),
    // Incremented to end all sessions at once, including a login that is half-way through.
    authVersion: integer("auth_version").notNull().default(1),
    // Part of the cookie of every known browser. An increment makes the account forget them all.
    browserEpoch: integer("device_epoch").notNull().default(1),
    // The user's handle in passkeys: random, the same in all of them, and not an id or an email.
    passkeyHandle: bytea("passkey_handle")
      .notNull()
      .default(sql`uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())`),
    createdAt: at("created_at").notNull().defaultNow(),
  },
  (t) => [
    // Partial, although its condition always holds. Postgres treats the columns of a whole unique
    // index as a key, and updating a key blocks every insert of a row that references the user. A
    // change of email would then deadlock with a statement that locks a session first and writes
    // its audit event second (tests/lib/auth/lock-order.test.ts).
    uniqueIndex("users_email").on(t.email).where(sql`${t.email} is not null`),
    // For the administration's list, newest first, and for its substring search.
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
