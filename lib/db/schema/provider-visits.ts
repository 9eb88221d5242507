import { sql } from "drizzle-orm";
import { boolean, check, index, pgTable, text, uuid } from "drizzle-orm/pg-core";
import { providerIds } from "../../provider-ids";
import { at, bytea } from "./columns";

/** Visits to a provider that began here and have not come back. */
export const providerVisits = pgTable(
  "provider_visits",
  {
    // SHA-256 of the `state` parameter. The verifier and the nonce are derived from it and
    // AUTH_SECRET, so no row has them.
    stateHash: bytea("state_hash").primaryKey(),
    // SHA-256 of the cookie of the browser that began the visit. Only that browser can come back.
    browserHash: bytea("browser_hash").notNull(),
    provider: text({ enum: providerIds }).notNull(),
    purpose: text({ enum: ["log-in", "connect", "confirm"] }).notNull(),
    // The session that began the visit, for the last two purposes. It may have ended since.
    sessionId: uuid("session_id"),
    next: text(),
    persistent: boolean().notNull(),
    createdAt: at("created_at").notNull().defaultNow(),
    expiresAt: at("expires_at").notNull(),
  },
  (t) => [
    index("provider_visits_expires_at").on(t.expiresAt),
    check("provider_visits_state_hash_length", sql`octet_length(${t.stateHash}) = 32`),
    check("provider_visits_browser_hash_length", sql`octet_length(${t.browserHash}) = 32`),
    check("provider_visits_purpose", sql`${t.purpose} in ('log-in', 'connect', 'confirm')`),
    check("provider_visits_session", sql`(${t.purpose} = 'log-in') = (${t.sessionId} is null)`),
    check("provider_visits_next_length", sql`length(${t.next}) <= 2000`),
  ],
);
