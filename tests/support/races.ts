import { setTimeout as sleep } from "node:timers/promises";
import type { Db } from "@/lib/db/client";
import { minutes } from "@/lib/time";
import { db, racingConnections, sql } from "./database";

/**
 * Forces the worst interleaving: `hold` takes a lock in a transaction, all contenders start on
 * their own connections and wait for the lock, and once every one of them waits, the transaction
 * commits. Returns the contenders' results, and throws if one of them throws.
 */
export async function collide<T>(
  count: number,
  hold: (tx: Db) => Promise<unknown>,
  contend: (db: Db, index: number) => Promise<T>,
): Promise<T[]> {
  const racing = racingConnections(count);
  try {
    const race = await db.transaction(async (tx) => {
      await hold(tx);
      const answers = Promise.all(times(count, (index) => contend(racing.db, index)));
      await Promise.race([answers, untilWaiting(count)]);
      return { answers }; // an object, because awaiting it here would wait for the lock held here
    });
    return await race.answers;
  } finally {
    await racing.sql.end();
  }
}

export function times<T>(count: number, make: (index: number) => T): T[] {
  return Array.from({ length: count }, (_, index) => make(index));
}

/** Waits until this many connections of this database wait for a lock. */
export async function untilWaiting(count: number): Promise<void> {
  const deadline = Date.now() + minutes(1);
  while (Date.now() < deadline) {
    const [row] = await sql<{ n: number }[]>`
      select count(*)::int as n from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock'`;
    if (row && row.n >= count) return;
    await sleep(10);
  }
  throw new Error(`collide: fewer than ${count} contenders ran into the lock.`);
}
