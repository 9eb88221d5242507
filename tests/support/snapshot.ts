import { setTimeout as sleep } from "node:timers/promises";
import type { Connection } from "@/lib/db/client";
import { minutes } from "@/lib/time";

export type Rows = Record<string, string[]>;

/**
 * Returns every row of every table, once pending mail jobs have created their links. Leaves out
 * what a mere visit may change (`last_seen_at`), and what refused attempts increase: the limiters'
 * counts and the audit log's counts of wrong passwords.
 */
export async function allRows(connection: Connection): Promise<Rows> {
  await untilJobsAreDone(connection);
  await deleteWaitingJobs(connection);
  const query = (await tablesOf(connection)).map(
    (name) => `
      select '${name}' as table, (to_jsonb(t) - 'last_seen_at')::text as row from "${name}" t
      where to_jsonb(t)->>'kind' is null
        or to_jsonb(t)->>'kind' not in ('log-in-failed', 'confirmation-failed')`,
  );
  const found = await connection.sql.unsafe<{ table: string; row: string }[]>(
    `${query.join(" union all ")} order by 1, 2`,
  );
  const rows: Rows = {};
  for (const { table, row } of found) {
    rows[table] ??= [];
    rows[table].push(row);
  }
  return rows;
}

/**
 * Deletes every row of every table, for tests that compare whole tables many times: rows of earlier
 * tests make each comparison slower.
 */
export async function deleteAllRows(connection: Connection): Promise<void> {
  await untilJobsAreDone(connection);
  await deleteWaitingJobs(connection);
  const tables = (await tablesOf(connection)).map((name) => `"${name}"`);
  await connection.sql.unsafe(`truncate ${tables.join(", ")} cascade`);
}

/** Returns the tables of a database except the limiters', which refused requests change too. */
async function tablesOf({ sql }: Connection): Promise<string[]> {
  const tables = await sql<{ name: string }[]>`
    select table_name as name from information_schema.tables
    where table_schema = 'public' and table_type = 'BASE TABLE'
      and table_name not in ('rate_limits', 'log_in_attempts') order by 1`;
  return tables.map(({ name }) => name);
}

/** Waits until no job is due. Jobs that failed and wait for a retry do not count. */
export async function untilJobsAreDone({ sql }: Connection): Promise<void> {
  const deadline = Date.now() + minutes(1);
  while (Date.now() < deadline) {
    const [due] = await sql`select from graphile_worker._private_jobs
      where attempts < max_attempts and (run_at <= now() or locked_at is not null) limit 1`;
    if (!due) return;
    await sleep(5);
  }
  throw new Error("Jobs were still under way after a minute.");
}

/**
 * Deletes the jobs that run later: the second check of the payment provider a minute after a click,
 * and retries after a failure. Such jobs of an earlier test would change rows between two snapshots
 * of an unrelated test.
 */
async function deleteWaitingJobs({ sql }: Connection): Promise<void> {
  await sql`delete from graphile_worker._private_jobs
    where locked_at is null and (attempts > 0 or run_at > now())`;
}
