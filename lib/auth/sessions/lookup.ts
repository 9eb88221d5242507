import { and, eq, type SQL, sql } from "drizzle-orm";
import { QueryBuilder } from "drizzle-orm/pg-core";
import type { Sql } from "postgres";
import { type Client, unknownClient } from "@/lib/audit";
import { hashToken, isToken } from "@/lib/auth/secrets";
import { clientOf, type Db } from "@/lib/db/client";
import { gather } from "@/lib/db/gather";
import { sessions } from "@/lib/db/schema/sessions";
import { users } from "@/lib/db/schema/users";
import { type SessionData, sessionData } from "./data";
import { live, type Sudo, sudo, touchDue } from "./live";

/*
 * Owns the lookup of a session by its token, which every request makes, and the note that it was used.
 * The security fact: only what `live` accepts is returned, so ending a session takes effect at its next
 * request.
 */

/** The acting session and its user, as every page and action gets it. Holds no secret. */
export type Session = {
  id: string;
  userId: string;
  persistent: boolean;
  /** What its person's last proof of who they are is still good for. */
  sudo: Sudo;
  data: SessionData;
  /** `touchSession` has something to do. */
  touchDue: boolean;
  user: { id: string; email: string; name: string; role: "user" | "admin" };
  /** Where this request comes from, which the row may not know yet. */
  client: Client;
};

// Built once: to build it costs more than to use it. What no longer fits the schema is forgotten.
const storedData = sessionData.catch(() => ({}));

/**
 * The live session of a token, or null. One prepared statement, one round trip, shared with others
 * where they are many at once; what is not shaped like a token costs no query. `client` is carried
 * along for the audit trail.
 */
export async function getSession(
  db: Db,
  token: string,
  client: Client = unknownClient,
): Promise<Session | null> {
  if (!isToken(token)) return null;
  const row = await lookupOver(clientOf(db))(hashToken(token));
  return row ? sessionOf(row, client) : null;
}

// Every page waits for this one statement. So Drizzle writes it, once, and postgres.js sends it: a
// tenth faster than through Drizzle's prepared query, measured side by side.
const lookupOne = lookupBy(eq(sessions.tokenHash, sql.placeholder("tokenHash")));
const lookupMany = lookupBy(
  sql`${sessions.tokenHash} = any(${sql.placeholder("tokenHashes")}::text::bytea[])`,
  { tokenHash: sql`encode(${sessions.tokenHash}, 'hex')` },
);

function lookupBy(match: SQL, more: { tokenHash?: SQL } = {}): string {
  return new QueryBuilder()
    .select({
      id: sessions.id,
      persistent: sessions.persistent,
      sudo,
      data: sessions.data,
      touchDue,
      userId: users.id,
      email: users.email,
      name: users.name,
      role: users.role,
      ...more,
    })
    .from(sessions)
    .innerJoin(users, eq(users.id, sessions.userId))
    .where(and(match, live))
    .toSQL().sql;
}

type Lookup = (tokenHash: Buffer) => Promise<LookupRow | undefined>;

const lookups = new WeakMap<Sql, Lookup>();

/** The lookup over a pool or a transaction. Those of a busy pool travel together: see `gather`. */
function lookupOver(client: Sql): Lookup {
  const lookup = lookups.get(client) ?? newLookup(client);
  lookups.set(client, lookup);
  return lookup;
}

function newLookup(client: Sql): Lookup {
  const ask = async (lookup: string, parameter: Buffer | string) => {
    const rows = await client.unsafe(lookup, [parameter], { prepare: true }).values();
    // `values` is untyped; the order is that of the columns of `lookupBy`.
    return rows as unknown as LookupRow[];
  };
  return gather(
    // A transaction has no options, and one connection.
    client.options?.max ?? 1,
    async (tokenHash) => (await ask(lookupOne, tokenHash))[0],
    async (tokenHashes) => {
      const hashes = tokenHashes.map((hash) => hash.toString("hex"));
      const rows = await ask(lookupMany, `{${hashes.map((hash) => `"\\\\x${hash}"`).join(",")}}`);
      const byHash = new Map(rows.map((row) => [row[9], row]));
      return hashes.map((hash) => byHash.get(hash));
    },
  );
}

type LookupRow = [
  id: string,
  persistent: boolean,
  sudo: Sudo,
  data: unknown,
  touchDue: boolean,
  userId: string,
  email: string,
  name: string,
  role: Session["user"]["role"],
  /** Only of `lookupMany`. */
  tokenHash?: string,
];

function sessionOf(row: LookupRow, client: Client): Session {
  const [id, persistent, sudo, data, touchDue, userId, email, name, role] = row;
  return {
    ...{ id, userId, persistent, sudo, touchDue, client },
    data: storedData.parse(data),
    user: { id: userId, email, name, role },
  };
}

/**
 * Notes that the device was here. Repeats the staleness in its own `where`, so that of parallel
 * requests one writes. Belongs after the response: nobody waits for it.
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
