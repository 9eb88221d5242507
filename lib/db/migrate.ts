import path from "node:path";
import { sql as query } from "drizzle-orm";
import { readMigrationFiles } from "drizzle-orm/migrator";
import { migrate as applyMigrations } from "drizzle-orm/postgres-js/migrator";
import { runMigrations as migrateQueue } from "graphile-worker";
import postgres from "postgres";
import { seconds } from "@/lib/time";
import { connect, type Db } from "./client";
import { requestLimits } from "./limits";

const folder = (): string => path.resolve("drizzle");

// Any constant will do, as long as every instance uses the same.
const LOCK = 5_462_017;

/**
 * A change of a table waits for every transaction that uses the table, such as a backup's, and
 * all requests that need the table wait behind it. So the change gives up before their
 * statements reach their limit.
 */
const lockWait = requestLimits.statement - seconds(5);

/**
 * Applies the new migrations in drizzle/ and returns their number. Safe to run from several
 * instances at once: an advisory lock lets one work while the others wait. Needs an unpooled
 * connection, because the lock belongs to the connection. `wait`, in milliseconds, is how long a
 * change waits for its table; after that, nothing has changed, and the error says so.
 */
export async function migrate(url: string, wait: number = lockWait): Promise<number> {
  const { db, sql } = connect(url, { max: 1 });
  try {
    await sql`select pg_advisory_lock(${LOCK})`;
    await sql`select set_config('lock_timeout', ${`${wait}`}, false)`;
    const pending = await countPendingMigrations(db);
    // Drizzle's type requires the concrete driver, which is the one that connect() uses.
    await applyMigrations(db as Parameters<typeof applyMigrations>[0], {
      migrationsFolder: folder(),
    }).catch((error) => {
      throw isLockTimeout(error) ? new Error(inUse) : error;
    });
    // The job queue keeps its own tables, in a schema of its own.
    await migrateQueue({ connectionString: url });
    return pending;
  } finally {
    await sql.end();
  }
}

const inUse =
  "A table is used by a long transaction, such as a backup, so the migration cannot change it now. Nothing was changed: run the command again when the transaction has ended. `select pid, xact_start, query from pg_stat_activity order by xact_start` shows the longest ones first.";

function isLockTimeout(error: unknown): boolean {
  const cause = error instanceof Error ? (error.cause ?? error) : undefined;
  return cause instanceof postgres.PostgresError && cause.code === "55P03";
}

/** Returns the number of migrations that this database lacks. */
export async function countPendingMigrations(db: Db): Promise<number> {
  const [table] = await db.execute(
    query`select to_regclass('drizzle.__drizzle_migrations') is not null as exists`,
  );
  const known = readMigrationFiles({ migrationsFolder: folder() }).length;
  if (!table?.exists) return known;
  const [row] = await db.execute<{ n: number }>(
    query`select count(*)::int as n from drizzle.__drizzle_migrations`,
  );
  return known - (row?.n ?? 0);
}
