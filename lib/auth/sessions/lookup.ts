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
 * Owns the lookup of a session by its token, which every request makes, and the record that it was used.
 * The security fact: only what `live` accepts is returned, so ending a session takes effect at its next
 * request.
 */

/** The acting session and its user, as every page and action gets it. Holds no secret. */
export type Session = {
  id: string;
  userId: string;
  persistent: boolean;
  /** What its user's last proof of identity is still good for. */
  sudo: Sudo;
  /** Whether that proof was more than a password. */
  strong: boolean;
  data: SessionData;
  /** `touchSession` has something to do. */
  touchDue: boolean;
  user: { id: string; email: string; name: string; role: "user" | "admin" };
  /** Where this request comes from, which the row may not know yet. */
  client: Client;
};

/**
 * The live session of a token, or null. One prepared statement, one round trip, no cache; what is not
 * shaped like a token costs no query. `client` is carried along for the audit log.
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

/** The only condition under which a lookup finds a session. Joins sessions and users. */
export const isPresentedAndLive = and(eq(sessions.tokenHash, sql.placeholder("tokenHash")), live);

/** What a `Session` has beside the columns of its row. */
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

// Built once: to build it costs more than to use it. What no longer fits the schema is dropped.
const storedData = sessionData.catch(() => ({}));

/**
 * Records that the session was used. Repeats the staleness in its own `where`, so that of parallel
 * requests one writes. To be called after the response, which need not wait for it.
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
