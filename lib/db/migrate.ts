import path from "node:path";
import { migrate as applyMigrations } from "drizzle-orm/postgres-js/migrator";
import { connect } from "./client";

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
    const before = await appliedCount(sql);
    // Drizzle's types want the concrete driver; ours is the one connect() made.
    await applyMigrations(db as Parameters<typeof applyMigrations>[0], {
      migrationsFolder: path.resolve("drizzle"),
    });
    return (await appliedCount(sql)) - before;
  } finally {
    await sql.end();
  }
}

async function appliedCount(sql: ReturnType<typeof connect>["sql"]): Promise<number> {
  const [exists] = await sql`select to_regclass('drizzle.__drizzle_migrations') is not null as yes`;
  if (!exists?.yes) return 0;
  const [row] = await sql`select count(*)::int as n from drizzle.__drizzle_migrations`;
  return row?.n ?? 0;
}
