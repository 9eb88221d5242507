import { sql } from "drizzle-orm";
import { check, index, integer, pgTable, primaryKey, uniqueIndex, uuid } from "drizzle-orm/pg-core";
import { at, bytea } from "./columns";
import { sessions } from "./sessions";

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
    // One unused token per session: the chain cannot fork, whatever code writes.
    uniqueIndex("refresh_tokens_leaf").on(t.sessionId).where(sql`${t.usedAt} is null`),
    index("refresh_tokens_expires_at").on(t.expiresAt),
    check("refresh_tokens_token_hash_length", sql`octet_length(${t.tokenHash}) = 32`),
    check(
      "refresh_tokens_used_has_successor",
      sql`(${t.usedAt} is null) = (${t.successorNonce} is null)`,
    ),
  ],
);
