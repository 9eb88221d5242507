import { sql } from "drizzle-orm";
import {
  boolean,
  check,
  index,
  inet,
  integer,
  jsonb,
  pgTable,
  text,
  uniqueIndex,
  uuid,
} from "drizzle-orm/pg-core";
import { at, bytea } from "./columns";
import { users } from "./users";

export const sessions = pgTable(
  "sessions",
  {
    // The public handle, used in the device list, audit and JWT `sid`. Knowing it gives no access.
    id: uuid().primaryKey().defaultRandom(),
    userId: uuid("user_id")
      .notNull()
      .references(() => users.id, { onDelete: "cascade" }),
    kind: text({ enum: ["web", "app"] })
      .notNull()
      .default("web"),
    // SHA-256 of the cookie's token. Null for apps: their secrets are refresh tokens.
    tokenHash: bytea("token_hash"),
    // The session is live only while this equals the user's auth_version.
    authVersion: integer("auth_version").notNull(),
    // Every method that has proved the user's identity so far: pwd, otp (RFC 8176), recovery.
    amr: text().array().notNull(),
    // The methods of the last proof only. They decide whether a session is strong
    // (lib/auth/sessions/live.ts).
    lastProof: text("last_proof").array().notNull().default([]),
    // The passkey or connected account that the session began with. Removing it ends the session.
    begunWith: uuid("begun_with"),
    // "Remember me": decides which windows apply and whether the cookie outlives the browser.
    persistent: boolean().notNull().default(false),
    createdAt: at("created_at").notNull().defaultNow(),
    // When the user last proved their identity. The sudo window is counted from here.
    authenticatedAt: at("authenticated_at").notNull().defaultNow(),
    // Updated at most every few minutes. Never index it: without an index, the update stays HOT.
    lastSeenAt: at("last_seen_at").notNull().defaultNow(),
    // The absolute end, fixed at creation. Idle time is judged against last_seen_at.
    expiresAt: at("expires_at").notNull(),
    ip: inet(),
    userAgent: text("user_agent"),
    // The name that an app gave, for the device list. Unverified, like the user agent.
    deviceName: text("device_name"),
    // Data that the product keeps per session. Typed in lib/auth/sessions/data.ts.
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
