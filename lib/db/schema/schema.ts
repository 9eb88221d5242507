import { sql } from "drizzle-orm";
import {
  bigint,
  boolean,
  check,
  customType,
  index,
  inet,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
  timestamp,
  uniqueIndex,
  uuid,
} from "drizzle-orm/pg-core";

/*
 * Every table. Rules that must hold whoever writes stand here as constraints; rules that change
 * with time (is this session live?) stand in the queries of lib/auth.
 */

const bytea = customType<{ data: Buffer }>({ dataType: () => "bytea" });

/** All times are with zone: the database's clock is the only one that decides. */
const at = (column: string) => timestamp(column, { withTimezone: true });

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
    // Part of every device cookie. Bumped, no browser is known to this account any more.
    deviceEpoch: integer("device_epoch").notNull().default(1),
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
    check("users_suspension_reason_length", sql`length(${t.suspensionReason}) <= 300`),
  ],
);

/** Apart from users, so that a user row can be passed around without carrying the hash. */
export const passwords = pgTable("passwords", {
  userId: uuid("user_id")
    .primaryKey()
    .references(() => users.id, { onDelete: "cascade" }),
  // The full argon2id string: parameters and salt travel with it, so they can be raised later.
  hash: text().notNull(),
  changedAt: at("changed_at").notNull().defaultNow(),
});

export const sessions = pgTable(
  "sessions",
  {
    // The public handle: device list, audit, JWT `sid`. Knowing it opens nothing.
    id: uuid().primaryKey().defaultRandom(),
    userId: uuid("user_id")
      .notNull()
      .references(() => users.id, { onDelete: "cascade" }),
    kind: text({ enum: ["web", "app"] })
      .notNull()
      .default("web"),
    // SHA-256 of the cookie's token. Null for apps: their secrets are refresh tokens.
    tokenHash: bytea("token_hash"),
    // Must equal the user's to be live.
    authVersion: integer("auth_version").notNull(),
    // How it was proved, in the words of RFC 8176: pwd, otp; and passkey.
    amr: text().array().notNull(),
    // "Remember me": decides which windows apply and whether the cookie outlives the browser.
    persistent: boolean().notNull().default(false),
    createdAt: at("created_at").notNull().defaultNow(),
    // The last time the person proved who they are: sudo counts from here.
    authenticatedAt: at("authenticated_at").notNull().defaultNow(),
    // Refreshed at most every few minutes. Never index it: unindexed, the update stays HOT.
    lastSeenAt: at("last_seen_at").notNull().defaultNow(),
    // The absolute end, fixed at creation. Idle time is judged against last_seen_at.
    expiresAt: at("expires_at").notNull(),
    ip: inet(),
    userAgent: text("user_agent"),
    // What an app calls the device it runs on. Its own word, like the user agent.
    deviceName: text("device_name"),
    // What the product wants to keep per session; typed in lib/auth/sessions/data.ts.
    data: jsonb().$type<Record<string, unknown>>().notNull().default({}),
  },
  (t) => [
    uniqueIndex("sessions_token_hash").on(t.tokenHash),
    index("sessions_user_id").on(t.userId),
    index("sessions_expires_at").on(t.expiresAt),
    check("sessions_kind", sql`${t.kind} in ('web', 'app')`),
    check("sessions_web_has_token", sql`(${t.kind} = 'web') = (${t.tokenHash} is not null)`),
    check("sessions_token_hash_length", sql`octet_length(${t.tokenHash}) = 32`),
    check("sessions_user_agent_length", sql`length(${t.userAgent}) <= 512`),
    check("sessions_device_name_length", sql`length(${t.deviceName}) <= 100`),
    check("sessions_data_size", sql`octet_length(${t.data}::text) <= 4096`),
  ],
);

/**
 * The chain of an app's session: each token is used once, for the next. Used ones stay until they
 * expire, so that one that is presented again can be told from one that never was.
 */
export const refreshTokens = pgTable(
  "refresh_tokens",
  {
    sessionId: uuid("session_id")
      .notNull()
      .references(() => sessions.id, { onDelete: "cascade" }),
    generation: integer().notNull(),
    tokenHash: bytea("token_hash").notNull(),
    // With the token itself it makes the next one, so that callers who present this token at the
    // same moment get the same next one, and only hashes are stored.
    successorNonce: bytea("successor_nonce"),
    usedAt: at("used_at"),
    expiresAt: at("expires_at").notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.sessionId, t.generation] }),
    uniqueIndex("refresh_tokens_token_hash").on(t.tokenHash),
    // One unused token per session: the chain cannot fork, whoever writes.
    uniqueIndex("refresh_tokens_leaf").on(t.sessionId).where(sql`${t.usedAt} is null`),
    index("refresh_tokens_expires_at").on(t.expiresAt),
    check("refresh_tokens_token_hash_length", sql`octet_length(${t.tokenHash}) = 32`),
    check(
      "refresh_tokens_used_has_successor",
      sql`(${t.usedAt} is null) = (${t.successorNonce} is null)`,
    ),
  ],
);

/** Keys for machines. Their owner's role and status are read with them, so they end with the owner. */
export const apiKeys = pgTable(
  "api_keys",
  {
    id: uuid().primaryKey().defaultRandom(),
    userId: uuid("user_id")
      .notNull()
      .references(() => users.id, { onDelete: "cascade" }),
    name: text().notNull(),
    // Its first characters, by which the owner tells it from the others. Too few to guess the rest.
    prefix: text().notNull(),
    keyHash: bytea("key_hash").notNull(),
    scopes: text().array().notNull(),
    createdAt: at("created_at").notNull().defaultNow(),
    // Null: until it is revoked.
    expiresAt: at("expires_at"),
    // Refreshed at most every few minutes. Never index it, as with sessions.
    lastUsedAt: at("last_used_at"),
  },
  (t) => [
    uniqueIndex("api_keys_key_hash").on(t.keyHash),
    index("api_keys_user_id").on(t.userId),
    check("api_keys_key_hash_length", sql`octet_length(${t.keyHash}) = 32`),
    check("api_keys_name_length", sql`length(${t.name}) between 1 and 100`),
  ],
);

/** An address that asked to sign up and has not opened its link. Not a user: it can do nothing. */
export const pendingSignUps = pgTable(
  "pending_sign_ups",
  {
    // One per address: the newest link is the only one that works.
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

/** Mailed links of existing users, bound to the address they went to. */
export const links = pgTable(
  "links",
  {
    tokenHash: bytea("token_hash").primaryKey(),
    userId: uuid("user_id")
      .notNull()
      .references(() => users.id, { onDelete: "cascade" }),
    purpose: text({
      enum: ["password-reset", "confirm-browser", "email-change", "email-restore", "not-me"],
    }).notNull(),
    // The mailbox that proved itself by opening the link. A reset and the confirmation of a browser
    // work only while it is still the user's; the two e-mail purposes make it the user's.
    sentTo: text("sent_to").notNull(),
    createdAt: at("created_at").notNull().defaultNow(),
    expiresAt: at("expires_at").notNull(),
  },
  (t) => [
    // Of these the newest alone works. The other two purposes undo what an attacker did: a second one must
    // not take the first from its owner.
    uniqueIndex("links_user_purpose")
      .on(t.userId, t.purpose)
      .where(sql`${t.purpose} in ('password-reset', 'confirm-browser', 'email-change')`),
    index("links_user_id").on(t.userId),
    index("links_expires_at").on(t.expiresAt),
    check("links_token_hash_length", sql`octet_length(${t.tokenHash}) = 32`),
  ],
);

/** What happened to whom, by whom, from where. Written in the transaction of the change itself. */
export const auditEvents = pgTable(
  "audit_events",
  {
    id: bigint({ mode: "number" }).primaryKey().generatedAlwaysAsIdentity(),
    at: at("at").notNull().defaultNow(),
    kind: text().notNull(),
    // Whose account. The event outlives the account, without naming it.
    userId: uuid("user_id").references(() => users.id, { onDelete: "set null" }),
    // Who acted, where that is somebody else; null is the user or, before login, nobody.
    actorId: uuid("actor_id").references(() => users.id, { onDelete: "set null" }),
    // No foreign key: the event stays when the session goes.
    sessionId: uuid("session_id"),
    ip: inet(),
    userAgent: text("user_agent"),
    detail: jsonb().$type<Record<string, unknown>>().notNull().default({}),
  },
  (t) => [
    // Read backwards for the newest first: Drizzle would make a descending one NULLS LAST, which no
    // `order by … desc` can use.
    index("audit_events_user").on(t.userId, t.id),
    index("audit_events_actor").on(t.actorId, t.id),
    index("audit_events_kind").on(t.kind, t.id),
    // Failures are counted in one row per account, kind and hour: see `recordFailure` in lib/audit.ts.
    uniqueIndex("audit_events_failures")
      .on(t.userId, t.kind, sql`date_trunc('hour', ${t.at} at time zone 'UTC')`)
      .where(sql`${t.kind} in ('log-in-failed', 'confirmation-failed')`),
    check("audit_events_user_agent_length", sql`length(${t.userAgent}) <= 512`),
  ],
);

/** The limiter's memory: a row per key that was used lately. See lib/rate-limits.ts. */
export const rateLimits = pgTable(
  "rate_limits",
  {
    // A hash: neither addresses nor accounts can be read from it.
    key: text().primaryKey(),
    // GCRA's theoretical arrival time: when the key will have nothing left to pay off.
    tat: at("tat").notNull(),
  },
  (t) => [index("rate_limits_tat").on(t.tat)],
);

/** Tries to log in to one email in a row without success. See lib/auth/login/attempts.ts. */
export const logInAttempts = pgTable(
  "log_in_attempts",
  {
    // SHA-256 of the email, with or without an account: the table lists no users.
    emailHash: bytea("email_hash").primaryKey(),
    // Counted before the password is checked, and back to none by a success.
    failures: integer().notNull(),
    // GCRA's theoretical arrival time, as in rate_limits. Never earlier than the last try.
    tat: at("tat").notNull(),
  },
  (t) => [
    index("log_in_attempts_tat").on(t.tat),
    check("log_in_attempts_email_hash_length", sql`octet_length(${t.emailHash}) = 32`),
  ],
);
