import { type SQL, sql } from "drizzle-orm";
import { hasTwoFactor } from "@/lib/auth/sessions/live";
import type { Db } from "@/lib/db/client";
import { passkeys } from "@/lib/db/schema/passkeys";
import { passwords } from "@/lib/db/schema/passwords";

/*
 * Counts the ways in which a user can log in. The security fact: a way is removed by a statement that finds
 * another one, with the user locked by the statement before it; two removals at once would each count the
 * other's. A new kind of way is a line of `ways`.
 */

/** Which ways work in this deployment: a passkey of another domain is none. */
export type WaysHere = { rpId: string };

/** "password", or the id of a passkey. */
export type Way = "password" | { id: string };

const ways = (userId: SQL, without: Way | null, here: WaysHere): SQL[] => [
  sql`select from ${passwords} where ${passwords.userId} = ${userId} and ${without !== "password"}`,
  sql`select from ${passkeys} where ${passkeys.userId} = ${userId}
    and ${passkeys.rpId} = ${here.rpId} and ${passkeys.id} is distinct from ${idOf(without)}::uuid`,
];

const strongWays = (userId: SQL, without: Way | "two-factor" | null, here: WaysHere): SQL[] => [
  sql`select where ${hasTwoFactor(userId)} and ${without !== "two-factor"}`,
  sql`select from ${passkeys} where ${passkeys.userId} = ${userId}
    and ${passkeys.rpId} = ${here.rpId} and ${passkeys.id} is distinct from ${idOf(without)}::uuid`,
];

/** Whether the user can log in without this way. For the statement that removes it, after the lock. */
export const hasOtherWay = (userId: string, without: Way, here: WaysHere): SQL<boolean> =>
  any(ways(sql`${userId}::uuid`, without, here));

/** The same of what makes a session strong: where it has to stay so, the last one stays. */
export const hasOtherStrongWay = (
  userId: string,
  without: Way | "two-factor",
  here: WaysHere,
): SQL<boolean> => any(strongWays(sql`${userId}::uuid`, without, here));

/**
 * Whether the user has a way to prove more than a password. Then another one is added only from a
 * session that did: in a statement of its own, after the lock.
 */
export async function hasStrongWay(db: Db, userId: string, here: WaysHere): Promise<boolean> {
  const [row] = await db.execute<{ found: boolean }>(sql`
    select ${any(strongWays(sql`${userId}::uuid`, null, here))} as found`);
  return row?.found === true;
}

/** For pages: whether the password, or a passkey, is the only way. */
export async function isOnlyWay(
  db: Db,
  userId: string,
  way: Way,
  here: WaysHere,
): Promise<boolean> {
  const [row] = await db.execute<{ other: boolean }>(sql`
    select ${hasOtherWay(userId, way, here)} as other`);
  return row?.other === false;
}

function any(found: SQL[]): SQL<boolean> {
  return sql<boolean>`exists (${sql.join(found, sql` union all `)})`;
}

function idOf(way: Way | "two-factor" | null): string | null {
  return typeof way === "object" ? (way?.id ?? null) : null;
}
