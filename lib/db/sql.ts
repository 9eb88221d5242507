import { type SQL, sql } from "drizzle-orm";

/** An interval of Postgres from milliseconds: a literal, for numbers of our own and not of a request. */
export function interval(milliseconds: number): SQL {
  return sql.raw(`interval '${milliseconds / 1000} seconds'`);
}
