import { randomBytes } from "node:crypto";
import { and, eq, isNotNull, lt, type SQL, sql } from "drizzle-orm";
import { twoFactorPolicy } from "@/lib/auth/policy";
import { open, type SealingKeys, seal, sealedWith } from "@/lib/auth/sealing";
import { hasTwoFactor } from "@/lib/auth/sessions/live";
import type { Db } from "@/lib/db/client";
import { recoveryCodes } from "@/lib/db/schema/recovery-codes";
import { totpSecrets } from "@/lib/db/schema/totp-secrets";
import { interval } from "@/lib/db/sql";
import { countRecoveryCodes } from "./recovery-codes";
import { matchingStep } from "./totp";

/*
 * Stores the secrets of authenticator apps and checks their codes. Security: a code is used in the
 * transaction that it authorizes, by one statement that accepts each 30-second step once; a new app
 * is kept beside the confirmed one until it has shown a code; and only the session that started an
 * app sees its secret, since any other session could be an attacker's. Call functions that change
 * rows with the user locked.
 */

const PURPOSE = "totp";

/** The session that sets up an app, and its user. */
type Acting = { id: string; userId: string };

const isConfirmed = (userId: string): SQL | undefined =>
  and(eq(totpSecrets.userId, userId), isNotNull(totpSecrets.confirmedAt));

/**
 * Matches the app that this session started. An expired one counts as none: a user who leaves the
 * page for too long has to scan again.
 */
const isStarted = ({ id, userId }: Acting): SQL | undefined =>
  and(eq(totpSecrets.userId, userId), eq(totpSecrets.startedBy, id), sql`not ${isExpired}`);

const isExpired = sql`(${totpSecrets.confirmedAt} is null
  and ${totpSecrets.createdAt} < now() - ${interval(twoFactorPolicy.startedFor)})`;

/** Returns two-factor as its user sees it, or null while it is off. */
export async function findTwoFactor(
  db: Db,
  userId: string,
): Promise<{ since: Date; recoveryCodes: number } | null> {
  const [row] = await db
    .select({ since: totpSecrets.since })
    .from(totpSecrets)
    .where(isConfirmed(userId));
  return row ? { since: row.since, recoveryCodes: await countRecoveryCodes(db, userId) } : null;
}

/**
 * Reports whether two-factor is on. Call it after the lock, as a statement of its own: a subquery
 * of the locking statement has the old snapshot.
 */
export async function isTwoFactorOn(db: Db, userId: string): Promise<boolean> {
  const [row] = await db.execute<{ on: boolean }>(sql`
    select ${hasTwoFactor(sql`${userId}::uuid`)} as on`);
  return row?.on === true;
}

/** Inserts a secret for an app to be confirmed. Replaces an older one that this session started. */
export async function startApp(tx: Db, { id, userId }: Acting, keys: SealingKeys): Promise<void> {
  const secret = seal(keys, PURPOSE, userId, randomBytes(twoFactorPolicy.totp.secretBytes));
  await tx.delete(totpSecrets).where(eq(totpSecrets.startedBy, id));
  await tx.insert(totpSecrets).values({ userId, secret, startedBy: id });
}

/**
 * Returns the secret of the started app, for a page that requires a recent proof of identity, or
 * null if none was started.
 */
export async function findStartedApp(
  db: Db,
  session: Acting,
  keys: SealingKeys,
): Promise<Buffer | null> {
  const [row] = await db
    .select({ secret: totpSecrets.secret })
    .from(totpSecrets)
    .where(isStarted(session));
  return row ? open(keys, PURPOSE, session.userId, row.secret) : null;
}

/**
 * Makes the started app the confirmed one, if this is its code. `moved`: it replaces another app,
 * whose `since` it takes over.
 */
export async function confirmStartedApp(
  tx: Db,
  session: Acting,
  code: string,
  keys: SealingKeys,
): Promise<{ moved: boolean } | "incorrect" | "none"> {
  const { userId } = session;
  const started = await readSecret(tx, userId, isStarted(session), keys);
  if (!started) return "none";
  const step = matchingStep(started.secret, code, started.now, 0);
  if (step === null) return "incorrect";
  const [replaced] = await tx
    .delete(totpSecrets)
    .where(isConfirmed(userId))
    .returning({ since: sql<string>`${totpSecrets.since}::text` });
  await tx.execute(sql`
    update ${totpSecrets} set confirmed_at = now(), started_by = null, last_step = ${step},
      since = coalesce(${replaced?.since ?? null}::timestamptz, now())
    where ${isStarted(session)}`);
  return { moved: replaced !== undefined };
}

/** Returns the step of a correct code that was not used yet, else null. Uses nothing up. */
export async function findStep(
  db: Db,
  userId: string,
  code: string,
  keys: SealingKeys,
): Promise<number | null> {
  const row = await readSecret(db, userId, isConfirmed(userId), keys);
  return row && matchingStep(row.secret, code, row.now, row.lastStep);
}

/** Returns true once per step, for any number of simultaneous uses; refuses earlier steps too. */
export async function consumeStep(tx: Db, userId: string, step: number): Promise<boolean> {
  const used = await tx.execute(sql`
    update ${totpSecrets} set last_step = ${step}, failures = 0
    where ${isConfirmed(userId)} and last_step < ${step} returning id`);
  return used.length === 1;
}

/**
 * Turns two-factor off: deletes the app, any app that was started, and the recovery codes. Returns
 * false and deletes nothing if it was off.
 */
export async function removeTwoFactor(tx: Db, userId: string): Promise<boolean> {
  const removed = await tx
    .delete(totpSecrets)
    .where(and(eq(totpSecrets.userId, userId), hasTwoFactor(sql`${userId}::uuid`)))
    .returning({ id: totpSecrets.id });
  if (removed.length === 0) return false;
  await tx.delete(recoveryCodes).where(eq(recoveryCodes.userId, userId));
  return true;
}

/** Housekeeping: deletes apps that were not confirmed in time. */
export async function deleteExpiredApps(db: Db): Promise<void> {
  await db.delete(totpSecrets).where(and(lt(totpSecrets.createdAt, sql`now()`), isExpired));
}

/**
 * Seals again, with the first key, the secrets that another key sealed. Returns how many those
 * were, and how many no key opens.
 */
export async function resealSecrets(
  db: Db,
  keys: SealingKeys,
): Promise<{ resealed: number; unreadable: number }> {
  const rows = await db
    .select({ userId: totpSecrets.userId, secret: totpSecrets.secret })
    .from(totpSecrets);
  const counts = { resealed: 0, unreadable: 0 };
  for (const { userId, secret } of rows) {
    if (keys[0]?.id.equals(sealedWith(secret))) continue;
    const opened = open(keys, PURPOSE, userId, secret);
    if (!opened) counts.unreadable++;
    else {
      const next = seal(keys, PURPOSE, userId, opened);
      // Matches the old secret, so that an app that was confirmed meanwhile is not overwritten.
      await db.update(totpSecrets).set({ secret: next }).where(eq(totpSecrets.secret, secret));
      counts.resealed++;
    }
  }
  return counts;
}

/** Counts the users whose confirmed app has a secret sealed with a key that is not among these. */
export async function countUnreadableSecrets(db: Db, keys: SealingKeys): Promise<number> {
  const ids = sql.join(
    keys.map(({ id }) => sql`${id}::bytea`),
    sql`, `,
  );
  const [row] = await db.execute<{ n: number }>(sql`
    select count(*)::int as n from ${totpSecrets}
    where confirmed_at is not null and substr(secret, 2, 4) not in (${ids})`);
  return row?.n ?? 0;
}

async function readSecret(
  db: Db,
  userId: string,
  which: SQL | undefined,
  keys: SealingKeys,
): Promise<{ secret: Buffer; lastStep: number; now: number } | null> {
  const [row] = await db
    .select({
      secret: totpSecrets.secret,
      lastStep: totpSecrets.lastStep,
      now: sql<number>`extract(epoch from clock_timestamp())::float8`,
    })
    .from(totpSecrets)
    .where(which);
  const secret = row && open(keys, PURPOSE, userId, row.secret);
  return row && secret ? { ...row, secret } : null;
}
