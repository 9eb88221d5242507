import { type SQL, sql } from "drizzle-orm";

/*
 * Pagination of lists sorted by `created_at desc, id desc`. A page begins after the last
 * row of the previous page: an index finds that position at once, while an offset would
 * read all rows before it.
 */

/** Where the page after a row begins: a column for the select, to be passed on unchanged. */
export const cursor: SQL<string> = sql<string>`(extract(epoch from created_at) * 1000000)::bigint || '.' || id`;

/**
 * Returns the condition for the rows after a cursor; undefined if the cursor is malformed, so that
 * the list starts at its beginning.
 */
export function after(position: string | undefined): SQL | undefined {
  const [, micros, id] =
    /^(\d{1,16})\.([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/.exec(position ?? "") ?? [];
  if (!micros || !id) return undefined;
  // Whole microseconds, which a Date would lose.
  const createdAt = sql`timestamptz 'epoch' + ${micros}::bigint * interval '1 microsecond'`;
  return sql`(created_at, id) < (${createdAt}, ${id}::uuid)`;
}
