import { type SQL, sql } from "drizzle-orm";
import { hasTwoFactor } from "@/lib/auth/sessions/live";
import type { Db } from "@/lib/db/client";
import { identities } from "@/lib/db/schema/identities";
import { passkeys } from "@/lib/db/schema/passkeys";
import { passwords } from "@/lib/db/schema/passwords";

/*
 * Finds out which ways to log in a user has left. Security: before removing a way, call this with
 * the user locked, in a statement after the one that locks; otherwise two simultaneous removals
 * would each find the other's way. For a new kind of way, add a line to `ways`.
 */

/**
 * The domain and the configured providers of this deployment. A passkey of another domain, or an
 * account at a provider that is not configured, is no way to log in here.
 */
export type WaysHere = { rpId: string; issuers: string[] };

/** An account at a provider is never a strong way, whatever proof the provider requires. */
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

/** Reports whether the user can log in without this way. Before a removal, lock the user first. */
export const hasOtherWay = (db: Db, userId: string, without: Way, here: WaysHere) =>
  findsAny(db, ways(sql`${userId}::uuid`, without, here));

/** Like `hasOtherWay`, for ways that make a session strong: an administrator keeps the last one. */
export const hasOtherStrongWay = (
  db: Db,
  userId: string,
  without: Way | "two-factor",
  here: StrongWaysHere,
) => findsAny(db, strongWays(sql`${userId}::uuid`, without, here));

/**
 * Reports whether the user has a way to prove more than a password. If so, only a strong session
 * may add another way.
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
