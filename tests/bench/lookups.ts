import { generateKeyPairSync, randomUUID } from "node:crypto";
import { eq } from "drizzle-orm";
import { drizzle } from "drizzle-orm/postgres-js";
import { jwtVerify, SignJWT } from "jose";
import postgres from "postgres";
import { hashToken } from "@/lib/auth/secrets";
import { getSession } from "@/lib/auth/sessions/lookup";
import { step } from "@/lib/commands/terminal";
import { type Connection, connect, type Db } from "@/lib/db/client";
import { requestLimits } from "@/lib/db/limits";
import { sessions } from "@/lib/db/schema/sessions";
import { users } from "@/lib/db/schema/users";
import { type Visitor, visitorNumber, visitors } from "./population";
import { count } from "./report";
import { type Contestant, type Length, type Race, run, throughput } from "./rounds";

/*
 * Ways to authenticate a request, one statement or token each. Every call is from another visitor,
 * drawn from all sessions. Each contestant has a pool of ten connections that lasts as long as its
 * race, like a server's pool.
 */

type Lookup = {
  name: string;
  /** Connects as starters do, instead of with the server's own pool. */
  connect?(url: string): Connection;
  call(connection: Connection, visitor: Visitor): Promise<unknown>;
};

type Entrant = Contestant & { end(): Promise<void> };

const ours = "getSession";

export async function* lookupRaces(
  url: string,
  size: number,
  length: Length,
): AsyncGenerator<Race> {
  const next = visitors(size);
  const lookups = await entrants();
  for (const [inFlight, goal] of [[1, 0.65], [10], [50, 0.85]] as const) {
    const contestants = lookups.map((lookup) => contestant(lookup, url, next, inFlight));
    const title = `${count(size)} sessions, ${inFlight} in flight`;
    const results = await step(
      title,
      () => run(contestants, length),
      () => title,
    );
    await Promise.all(contestants.map((each) => each.end()));
    yield { title, results, ours, goal };
  }
}

async function entrants(): Promise<Lookup[]> {
  const verify = await tokenVerification();
  const statement = await statementOf((db) => getSession(db, visitorNumber(1).token));
  return [
    { name: "Bare select by primary key", call: ({ sql }, { id }) => bareSelect(sql, id) },
    { name: ours, call: ({ db }, { token }) => getSession(db, token) },
    {
      name: "Its statement alone",
      call: async ({ sql }, { tokenHash }) => (await sql.unsafe(statement, [tokenHash]))[0],
    },
    {
      name: "Two Drizzle queries, unprepared",
      connect: plainPool,
      call: ({ db }, { token }) => twoQueries(db, token),
    },
    { name: "JWT verified by jose (EdDSA)", call: verify },
  ];
}

/** The lower bound: a whole row, without its user, hash or live predicate. */
async function bareSelect(sql: Connection["sql"], id: string): Promise<unknown> {
  const [row] = await sql.unsafe("select * from sessions where id = $1", [id]);
  return row;
}

/** Returns the statement that a lookup sends, recorded by a client that finds no row. */
async function statementOf(lookup: (db: Db) => Promise<unknown>): Promise<string> {
  let sent = "";
  const unsafe = (text: string) => {
    sent = text;
    return { values: async () => [] };
  };
  await lookup({ session: { client: { unsafe } } } as unknown as Db);
  return sent;
}

function plainPool(url: string): Connection {
  const sql = postgres(url);
  return { db: drizzle({ client: sql }), sql };
}

/** The session, then its user, as starters often do it. No live predicate, nothing prepared. */
async function twoQueries(db: Db, token: string): Promise<unknown> {
  const [session] = await db
    .select()
    .from(sessions)
    .where(eq(sessions.tokenHash, hashToken(token)));
  if (!session) return null;
  const [user] = await db.select().from(users).where(eq(users.id, session.userId));
  return user && { session, user };
}

/** Verifies one token repeatedly. Different tokens would cost the same. */
async function tokenVerification(): Promise<() => Promise<unknown>> {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const expected = { issuer: "https://example.com", audience: "https://example.com" };
  const token = await new SignJWT({ sid: randomUUID() })
    .setProtectedHeader({ alg: "EdDSA", kid: "1" })
    .setSubject(randomUUID())
    .setIssuer(expected.issuer)
    .setAudience(expected.audience)
    .setExpirationTime("1 h")
    .sign(privateKey);
  return () => jwtVerify(token, publicKey, { ...expected, algorithms: ["EdDSA"] });
}

function contestant(
  { name, call, connect: open }: Lookup,
  url: string,
  next: () => Visitor,
  inFlight: number,
): Entrant {
  const connection = open?.(url) ?? connect(url, { limits: requestLimits }); // as the server's pool
  return {
    name,
    end: () => connection.sql.end(),
    async run(milliseconds) {
      const found = async () => {
        // A miss would be faster than a hit.
        if (!(await call(connection, next()))) throw new Error(`${name} found nothing.`);
      };
      await throughput(found, inFlight, milliseconds / 4); // connects, prepares, warms up
      return throughput(found, inFlight, milliseconds);
    },
  };
}
