import { type SQL, sql } from "drizzle-orm";

/** Returns a Postgres interval as a literal: only for our own numbers, never for a request's. */
export function interval(milliseconds: number): SQL {
  return sql.raw(`interval '${milliseconds / 1000} seconds'`);
}
