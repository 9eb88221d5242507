import type { Connection } from "@/lib/db/client";

export type Rows = Record<string, string[]>;

/**
 * Every row of every table, without what a mere visit may change (`last_seen_at`) and without the
 * limiter's counts, which grow by refused tries too.
 */
export async function allRows({ sql }: Connection): Promise<Rows> {
  const tables = await sql<{ name: string }[]>`
    select table_name as name from information_schema.tables
    where table_schema = 'public' and table_type = 'BASE TABLE'
      and table_name <> 'rate_limits' order by 1`;
  const rows: Rows = {};
  for (const { name } of tables) {
    const found = await sql<{ row: string }[]>`
      select (to_jsonb(t) - 'last_seen_at')::text as row from ${sql(name)} t order by 1`;
    rows[name] = found.map(({ row }) => row);
  }
  return rows;
}
