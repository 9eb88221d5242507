import { sql } from "drizzle-orm";
import { check, index, integer, pgTable, primaryKey, uniqueIndex, uuid } from "drizzle-orm/pg-core";
import { at, bytea } from "./columns";
import { sessions } from "./sessions";

/**
 * The refresh tokens of an app's session, as a chain: each token is used once, to get the next.
 * Used tokens stay until they expire, so that a token that is presented again can be told from one
 * that never existed.
 */
export const refreshTokens = pgTable(
  "refresh_tokens",
  {
    sessionId: uuid("session_id")
      .notNull()
      .references(() => sessions.id, { onDelete: "cascade" }),
    generation: integer().notNull(),
    tokenHash: bytea("token_hash").notNull(),
    // The next token is derived from this nonce and the token itself. So callers that present this
    // token at the same moment get the same next one, and only hashes are stored.
    successorNonce: bytea("successor_nonce"),
    usedAt: at("used_at"),
    expiresAt: at("expires_at").notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.sessionId, t.generation] }),
    uniqueIndex("refresh_tokens_token_hash").on(t.tokenHash),
    // At most one unused token per session: the chain cannot fork, whatever code writes.
    uniqueIndex("refresh_tokens_leaf").on(t.sessionId).where(sql`${t.usedAt} is null`),
    index("refresh_tokens_expires_at").on(t.expiresAt),
    check("refresh_tokens_token_hash_length", sql`octet_length(${t.tokenHash}) = 32`),
    check(
      "refresh_tokens_used_has_successor",
      sql`(${t.usedAt} is null) = (${t.successorNonce} is null)`,
    ),
  ],
);
