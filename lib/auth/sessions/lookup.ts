import { and, eq, sql } from "drizzle-orm";
import { QueryBuilder } from "drizzle-orm/pg-core";
import { unknownClient } from "@/lib/audit";
import { hashToken, isToken } from "@/lib/auth/secrets";
import type { Db } from "@/lib/db/client";
import { prepared } from "@/lib/db/prepared";
import { sessions } from "@/lib/db/schema/sessions";
import { users } from "@/lib/db/schema/users";
import type { Client } from "@/lib/http";
import { type SessionData, sessionData } from "./data";
import { live, type Sudo, strong, sudo, touchDue } from "./live";

/*
 * Looks up a session by its token, at every request, and records its use. Security: only sessions
 * that pass `live` are returned, so ending a session takes effect at its next request.
 */

/** The acting session and its user, as passed to every page and action. Contains no secret. */
export type Session = {
  id: string;
  userId: string;
  persistent: boolean;
  /** How recently the user proved their identity, and which actions that still allows. */
  sudo: Sudo;
  /** Whether that proof was strong (`isStrong`), which a password alone is not. */
  strong: boolean;
  data: SessionData;
  /** Whether the last recorded use is so old that `touchSession` would write. */
  touchDue: boolean;
  user: { id: string; email: string; name: string; role: "user" | "admin" };
  /** The IP address and user agent of this request, which the row may not have yet. */
  client: Client;
};

/**
 * Returns the live session of a token, or null. One prepared statement, one round trip, no cache. A
 * malformed token costs no query. `client` is passed through for the audit log.
 */
export async function getSession(
  db: Db,
  token: string,
  client: Client = unknownClient,
): Promise<Session | null> {
  if (!isToken(token)) return null;
  const [row] = await findLiveSession(db, { tokenHash: hashToken(token) });
  return row ? { ...row, ...parsed(row, client) } : null;
}

/** The columns of a lookup, for a statement that looks up more: lib/teams/lookup.ts. */
export const sessionColumns = {
  id: sessions.id,
  persistent: sessions.persistent,
  sudo,
  strong,
  data: sessions.data,
  touchDue,
  user: { id: users.id, email: users.email, name: users.name, role: users.role },
};

/** The only condition under which a lookup finds a session. Requires sessions joined with users. */
export const isPresentedAndLive = and(eq(sessions.tokenHash, sql.placeholder("tokenHash")), live);

/** Returns the fields of a `Session` that are not columns of its row. */
export function parsed(
  row: { user: { id: string }; data: unknown },
  client: Client,
): Pick<Session, "userId" | "data" | "client"> {
  return { userId: row.user.id, data: storedData.parse(row.data), client };
}

const findLiveSession = prepared(
  new QueryBuilder()
    .select(sessionColumns)
    .from(sessions)
    .innerJoin(users, eq(users.id, sessions.userId))
    .where(isPresentedAndLive),
);

// Built once: building it costs more than using it. Data that no longer fits the schema is dropped.
const storedData = sessionData.catch(() => ({}));

/**
 * Records that the session was used. Repeats the staleness check in its own `where`, so that only
 * one of several parallel requests writes. Call it after the response, so that the response does
 * not wait for it.
 */
export async function touchSession(db: Db, session: Session): Promise<void> {
  await db
    .update(sessions)
    .set({
      lastSeenAt: sql`now()`,
      ip: sql`coalesce(${session.client.ip}::inet, ${sessions.ip})`,
    })
    .where(and(eq(sessions.id, session.id), touchDue));
}
