import { sql } from "drizzle-orm";
import { check, index, pgTable, text, uniqueIndex } from "drizzle-orm/pg-core";
import { providerIds } from "../../provider-ids";
import { at, bytea } from "./columns";

/** Emails that were entered at sign-up and whose link has not been used yet. They are not users. */
export const pendingSignUps = pgTable(
  "pending_sign_ups",
  {
    // One per email: the newest link is the only one that works.
    email: text().primaryKey(),
    tokenHash: bytea("token_hash").notNull(),
    createdAt: at("created_at").notNull().defaultNow(),
    expiresAt: at("expires_at").notNull(),
    // The provider account that the sign-up began with, if any. Only the browser that began it may
    // connect the account: `browser_hash` is the SHA-256 of its cookie.
    issuer: text(),
    subject: text(),
    provider: text({ enum: providerIds }),
    label: text(),
    name: text(),
    browserHash: bytea("browser_hash"),
  },
  (t) => [
    uniqueIndex("pending_sign_ups_token_hash").on(t.tokenHash),
    index("pending_sign_ups_expires_at").on(t.expiresAt),
    check("pending_sign_ups_token_hash_length", sql`octet_length(${t.tokenHash}) = 32`),
    check(
      "pending_sign_ups_identity",
      sql`num_nulls(${t.issuer}, ${t.subject}, ${t.provider}, ${t.label}, ${t.name}, ${t.browserHash}) in (0, 6)`,
    ),
    check("pending_sign_ups_browser_hash_length", sql`octet_length(${t.browserHash}) = 32`),
  ],
);
