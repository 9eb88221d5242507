import path from "node:path";
import { sql as query } from "drizzle-orm";
import { readMigrationFiles } from "drizzle-orm/migrator";
import { migrate as applyMigrations } from "drizzle-orm/postgres-js/migrator";
import { runMigrations as migrateQueue } from "graphile-worker";
import { connect, type Db } from "./client";

const folder = (): string => path.resolve("drizzle");

// Any constant will do, as long as every instance uses the same.
const LOCK = 5_462_017;

/**
 * Applies what is new in drizzle/ and returns how many migrations that were. Safe to run from
 * several instances at once: an advisory lock lets one work while the others wait. Needs an
 * unpooled connection, since the lock belongs to it.
 */
export async function migrate(url: string): Promise<number> {
  const { db, sql } = connect(url, { max: 1 });
  try {
    await sql`select pg_advisory_lock(${LOCK})`;
    const pending = await countPendingMigrations(db);
    // Drizzle's types want the concrete driver; ours is the one connect() made.
    await applyMigrations(db as Parameters<typeof applyMigrations>[0], {
      migrationsFolder: folder(),
    });
    // The job queue keeps its own tables, in a schema of its own.
    await migrateQueue({ connectionString: url });
    return pending;
  } finally {
    await sql.end();
  }
}

/** How many migrations this database lacks. */
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
