import { createHash } from "node:crypto";
import { eq, lt, type SQL, sql } from "drizzle-orm";
import { logInPolicy } from "@/lib/auth/policy";
import type { Db } from "@/lib/db/client";
import { logInAttempts } from "@/lib/db/schema/log-in-attempts";

/*
 * Limits how many passwords may be tried at one account in all, from browsers that are not known to
 * it, whatever their IP addresses. Security: one statement counts a try before the password is
 * checked, so that of any number of concurrent tries no more than the policy allows reach the hash.
 * An email without an account is counted in the same way.
 */

export type CountedAttempt =
  | { ok: true /** Milliseconds until the try's turn; the caller waits that long. */; wait: number }
  | { ok: false; reason: "limited"; retryAfter: number }
  | { ok: false; reason: "browser-unconfirmed" };

const { failures, burst, interval, longestWait, remembered } = logInPolicy;
const milliseconds = (n: number): SQL => sql`${n} * interval '1 millisecond'`;

/**
 * Counts one try and reserves the next free turn for it: at once within the burst, then one turn
 * per interval over all callers. "limited": the turn would be too late; try again in `retryAfter`
 * seconds. "browser-unconfirmed": too many failures in a row. A refused try is not counted.
 */
export async function countLogInAttempt(db: Db, email: string): Promise<CountedAttempt> {
  const next = sql`greatest(a.tat, clock_timestamp()) + ${milliseconds(interval)}`;
  const [counted] = await db.execute<{ wait: number }>(sql`
    insert into ${logInAttempts} as a (email_hash, failures, tat)
    values (${hashEmail(email)}, 1, clock_timestamp() + ${milliseconds(interval)})
    on conflict (email_hash) do update set failures = a.failures + 1, tat = ${next}
    where a.failures < ${failures}
      and ${next} - clock_timestamp() <= ${milliseconds(burst * interval + longestWait)}
    returning ${millisecondsUntil(sql`a.tat - ${milliseconds(burst * interval)}`)} as wait`);
  if (counted) return { ok: true, wait: Math.max(0, counted.wait) };

  const refused = await findRow(db, email);
  if (refused && refused.failures >= failures) return { ok: false, reason: "browser-unconfirmed" };
  const retryAfter = Math.max(1, Math.ceil((refused?.wait ?? 0) / 1000));
  return { ok: false, reason: "limited", retryAfter };
}

/** Returns whether an unknown browser needs a mailed link before it may try a password. */
export async function needsConfirmedBrowser(db: Db, email: string): Promise<boolean> {
  const row = await findRow(db, email);
  return row !== undefined && row.failures >= failures;
}

/**
 * Resets the count after a success, a password reset or a redeemed link: the next failure is the
 * first in a row.
 */
export async function resetLogInAttempts(db: Db, email: string): Promise<void> {
  await db.delete(logInAttempts).where(eq(logInAttempts.emailHash, hashEmail(email)));
}

/** Housekeeping. Also ends a block, for emails with and without an account alike. */
export async function deleteExpiredLogInAttempts(db: Db): Promise<void> {
  await db
    .delete(logInAttempts)
    .where(lt(logInAttempts.tat, sql`now() - ${milliseconds(remembered)}`));
}

/** `wait`: milliseconds until another try would get a turn that is not too late. */
async function findRow(
  db: Db,
  email: string,
): Promise<{ failures: number; wait: number } | undefined> {
  const [row] = await db
    .select({
      failures: logInAttempts.failures,
      wait: millisecondsUntil(
        sql`${logInAttempts.tat} - ${milliseconds((burst - 1) * interval + longestWait)}`,
      ),
    })
    .from(logInAttempts)
    .where(eq(logInAttempts.emailHash, hashEmail(email)));
  return row;
}

function millisecondsUntil(time: SQL): SQL<number> {
  return sql<number>`ceil(extract(epoch from ${time} - clock_timestamp()) * 1000)::int`;
}

function hashEmail(email: string): Buffer {
  return createHash("sha256").update(email).digest();
}
