import { type SQL, sql } from "drizzle-orm";
import { hasTwoFactor } from "@/lib/auth/sessions/live";
import type { Db } from "@/lib/db/client";
import { identities } from "@/lib/db/schema/identities";
import { passkeys } from "@/lib/db/schema/passkeys";
import { passwords } from "@/lib/db/schema/passwords";

/*
 * Finds out which ways to log in a user has left. The security fact: who removes one asks here with the user
 * locked, in a statement after the one that locks; two removals at once would each find the other's way. A new
 * kind of way is a line of `ways`.
 */

/**
 * Which ways work in this deployment: a passkey of another domain is none, nor is an account at a provider
 * that is not configured.
 */
export type WaysHere = { rpId: string; issuers: string[] };

/** An account at a provider is no strong way, whatever it asks for there. */
export type StrongWaysHere = Pick<WaysHere, "rpId">;

/** "password", or the id of a passkey or of an account at a provider. */
export type Way = "password" | { id: string };

const ways = (userId: SQL, without: Way | null, here: WaysHere): SQL[] => [
  sql`select from ${passwords} where ${passwords.userId} = ${userId} and ${without !== "password"}`,
  sql`select from ${passkeys} where ${passkeys.userId} = ${userId}
    and ${passkeys.rpId} = ${here.rpId} and ${passkeys.id} is distinct from ${idOf(without)}::uuid`,
  sql`select from ${identities} where ${identities.userId} = ${userId}
    and ${identities.issuer} = any(${sql.param(here.issuers)}::text[])
    and ${identities.id} is distinct from ${idOf(without)}::uuid`,
];

const strongWays = (
  userId: SQL,
  without: Way | "two-factor" | null,
  here: StrongWaysHere,
): SQL[] => [
  sql`select where ${hasTwoFactor(userId)} and ${without !== "two-factor"}`,
  sql`select from ${passkeys} where ${passkeys.userId} = ${userId}
    and ${passkeys.rpId} = ${here.rpId} and ${passkeys.id} is distinct from ${idOf(without)}::uuid`,
];

/** Whether the user can log in without this way. For a change of it: after the lock. */
export const hasOtherWay = (db: Db, userId: string, without: Way, here: WaysHere) =>
  findsAny(db, ways(sql`${userId}::uuid`, without, here));

/** The same of what makes a session strong: an administrator keeps the last one. */
export const hasOtherStrongWay = (
  db: Db,
  userId: string,
  without: Way | "two-factor",
  here: StrongWaysHere,
) => findsAny(db, strongWays(sql`${userId}::uuid`, without, here));

/**
 * Whether the user has a way to prove more than a password. Then another one is added only from a session
 * that did.
 */
export const hasStrongWay = (db: Db, userId: string, here: StrongWaysHere) =>
  findsAny(db, strongWays(sql`${userId}::uuid`, null, here));

async function findsAny(db: Db, found: SQL[]): Promise<boolean> {
  const [row] = await db.execute<{ found: boolean }>(sql`
    select exists (${sql.join(found, sql` union all `)}) as found`);
  return row?.found === true;
}

function idOf(way: Way | "two-factor" | null): string | null {
  return typeof way === "object" ? (way?.id ?? null) : null;
}
