import { type SQL, sql } from "drizzle-orm";

/*
 * Owns positions in a list that is sorted by `created_at desc, id desc`. A page begins after the last row of
 * the page before: an index finds it at once, where an offset would read all rows before it.
 */

/** Where the page after a row begins: a column for the select, to be passed on as it is. */
export const cursor: SQL<string> = sql<string>`(extract(epoch from created_at) * 1000000)::bigint || '.' || id`;

/** The rows after a cursor. Undefined where it is malformed: then the list begins at the beginning. */
export function after(position: string | undefined): SQL | undefined {
  const [, micros, id] =
    /^(\d{1,16})\.([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/.exec(position ?? "") ?? [];
  if (!micros || !id) return undefined;
  // Whole microseconds, which a Date would lose.
  const createdAt = sql`timestamptz 'epoch' + ${micros}::bigint * interval '1 microsecond'`;
  return sql`(created_at, id) < (${createdAt}, ${id}::uuid)`;
}
