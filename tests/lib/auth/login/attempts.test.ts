import { randomUUID } from "node:crypto";
import { sql as query } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import {
  countLogInAttempt,
  deleteExpiredLogInAttempts,
  needsConfirmedBrowser,
  resetLogInAttempts,
} from "@/lib/auth/login/attempts";
import { logInPolicy } from "@/lib/auth/policy";
import type { Db } from "@/lib/db/client";
import { db, sql } from "@/tests/support/database";
import { collide, times } from "@/tests/support/races";
import { wholeDatabase } from "@/tests/support/rows";
import { failLogIns } from "@/tests/support/users";

const { failures, burst, interval, longestWait, remembered } = logInPolicy;
const newEmail = () => `${randomUUID()}@example.com`;
const unconfirmed = { ok: false, reason: "browser-unconfirmed" };

/** Takes all turns up to `ahead` milliseconds from now. */
async function takeTurns(email: string, ahead: number): Promise<void> {
  await sql`update log_in_attempts set tat = clock_timestamp() + ${ahead} * interval '1 millisecond'
    where email_hash = sha256(${email}::text::bytea)`;
}

async function failuresOf(email: string): Promise<number | undefined> {
  const [row] = await sql<{ failures: number }[]>`
    select failures from log_in_attempts where email_hash = sha256(${email}::text::bytea)`;
  return row?.failures;
}

describe("countLogInAttempt", () => {
  it("lets the burst pass without a wait", async () => {
    const email = newEmail();
    for (let n = 0; n < burst; n++)
      expect(await countLogInAttempt(db, email)).toEqual({ ok: true, wait: 0 });
    expect(await failuresOf(email)).toBe(burst);
  });

  it("gives each concurrent caller past the burst a separate turn", async () => {
    const email = newEmail();
    await countLogInAttempt(db, email);
    await takeTurns(email, burst * interval);
    const lock = (tx: Db) => tx.execute(query`select from log_in_attempts for update`);
    const turns = longestWait / interval;
    const answers = await collide(turns, lock, (db) => countLogInAttempt(db, email));
    const waits = answers.map((answer) => (answer.ok ? answer.wait : Number.NaN)).sort();
    for (const [n, wait] of waits.entries()) {
      expect(wait).toBeLessThanOrEqual((n + 1) * interval);
      if (n > 0) expect(wait - (waits[n - 1] ?? 0)).toBeGreaterThan(interval - 500);
    }
  });

  it("refuses a turn that is too late, says when to try again, and counts nothing", async () => {
    const email = newEmail();
    await countLogInAttempt(db, email);
    await takeTurns(email, burst * interval + longestWait + 5 * interval);
    const answer = await countLogInAttempt(db, email);
    if (answer.ok || answer.reason !== "limited") throw new Error("This was not refused.");
    expect(answer.retryAfter).toBeGreaterThan(0);
    expect(answer.retryAfter).toBeLessThanOrEqual((6 * interval) / 1000);
    expect(await failuresOf(email)).toBe(1);
    await sql`update log_in_attempts set tat = tat - ${answer.retryAfter} * interval '1 second'
      where email_hash = sha256(${email}::text::bytea)`;
    expect((await countLogInAttempt(db, email)).ok).toBe(true);
  });

  it("refuses every try after the last allowed failure in a row", async () => {
    const email = newEmail();
    await failLogIns(db, email, failures - 1);
    expect((await countLogInAttempt(db, email)).ok).toBe(true);
    expect(await needsConfirmedBrowser(db, email)).toBe(true);
    for (let n = 0; n < 3; n++) expect(await countLogInAttempt(db, email)).toEqual(unconfirmed);
    expect(await failuresOf(email)).toBe(failures);
  });

  it("counts each email separately, and stores none in the clear", async () => {
    const [email, other] = [newEmail(), newEmail()];
    await failLogIns(db, email, failures);
    expect(await countLogInAttempt(db, other)).toEqual({ ok: true, wait: 0 });
    expect(await needsConfirmedBrowser(db, other)).toBe(false);
    expect(await wholeDatabase()).not.toContain(other);
  });
});

describe("countLogInAttempt, two hundred at once", () => {
  const lock = (tx: Db) => tx.execute(query`select from log_in_attempts for update`);

  it("lets exactly the remaining failures pass", async () => {
    const email = newEmail();
    await failLogIns(db, email, failures - 5);
    const answers = await collide(200, lock, (db) => countLogInAttempt(db, email));
    expect(answers.filter(({ ok }) => ok)).toHaveLength(5);
    expect(answers.filter(({ ok }) => !ok)).toEqual(times(195, () => unconfirmed));
  });

  // Proves that the test above can fail: reads the count, compares it, then writes it.
  it("would let more pass if it read before it wrote", async () => {
    const email = newEmail();
    await failLogIns(db, email, failures - 5);
    const answers = await collide(50, lock, async (db) => {
      const [row] = await db.execute<{ failures: number }>(query`
        select failures from log_in_attempts where email_hash = sha256(${email}::text::bytea)`);
      if ((row?.failures ?? 0) >= failures) return false;
      await db.execute(query`update log_in_attempts set failures = failures + 1
        where email_hash = sha256(${email}::text::bytea)`);
      return true;
    });
    expect(answers.filter(Boolean).length).toBeGreaterThan(5);
  });
});

describe("resetLogInAttempts", () => {
  it("makes the next failure the first in a row, for this email only", async () => {
    const [email, other] = [newEmail(), newEmail()];
    await failLogIns(db, email, failures);
    await failLogIns(db, other, failures);
    await resetLogInAttempts(db, email);
    expect(await countLogInAttempt(db, email)).toEqual({ ok: true, wait: 0 });
    expect(await failuresOf(email)).toBe(1);
    expect(await countLogInAttempt(db, other)).toEqual(unconfirmed);
  });
});

describe("deleteExpiredLogInAttempts", () => {
  it("deletes counts whose last try is older than the policy says, and keeps the others", async () => {
    const [past, lately] = [newEmail(), newEmail()];
    for (const email of [past, lately]) await failLogIns(db, email, failures);
    await takeTurns(past, -remembered - 1000);
    await takeTurns(lately, -remembered + 60_000);
    await deleteExpiredLogInAttempts(db);
    expect(await failuresOf(past)).toBeUndefined();
    expect(await failuresOf(lately)).toBe(failures);
  });
});
