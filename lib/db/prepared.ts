import { Column, fillPlaceholders, is, SQL } from "drizzle-orm";
import { PgDialect } from "drizzle-orm/pg-core";
import { clientOf, type Db } from "./client";

/*
 * Owns the statements that every request makes, such as the lookup of a session: a Drizzle select, or a
 * statement in SQL, as a prepared statement of postgres.js. Its SQL is built once, and each call is one round trip. Through
 * Drizzle's own `prepare` such a lookup costs more time in this process than in the database.
 */

/** As much of a Drizzle select as is needed here. */
type Select<Row> = {
  _: { selectedFields: unknown; result: Row[] };
  toSQL(): { sql: string; params: unknown[] };
};

/** Runs the statement on a pool or a transaction; `values` are those of its `sql.placeholder(name)`. */
export type Prepared<Row> = (db: Db, values: Record<string, unknown>) => Promise<Row[]>;

/**
 * A select of a `QueryBuilder` as a prepared statement that returns typed objects, nested as the select's
 * fields are. Inner joins alone: of an outer join, Drizzle's types promise null for an object whose row is
 * missing, and this would return one of nulls. A select that depends on `env()` is given as a function, which
 * is called at the first use.
 */
export function prepared<Row>(query: Select<Row> | (() => Select<Row>)): Prepared<Row> {
  let built = typeof query === "function" ? undefined : build(query);
  return async (db, values) => {
    built ??= build(typeof query === "function" ? query() : query);
    const { sql, params, read } = built;
    const parameters = fillPlaceholders(params, values) as string[];
    const rows = await clientOf(db).unsafe(sql, parameters).values();
    // The select's own type: the fields were read from it.
    return rows.map(read) as Row[];
  };
}

/**
 * A statement that Drizzle cannot build, such as one with `with … update`, as a prepared statement. Its rows are
 * the driver's: what `db.execute` returns, so dates are text.
 */
export function preparedSql<Row>(query: SQL): Prepared<Row> {
  const { sql, params } = new PgDialect().sqlToQuery(query);
  return async (db, values) => {
    const parameters = fillPlaceholders(params, values) as string[];
    return (await clientOf(db).unsafe(sql, parameters)) as unknown as Row[];
  };
}

function build<Row>(query: Select<Row>): { sql: string; params: unknown[]; read: RowReader } {
  const { sql, params } = query.toSQL();
  if (/ (left|right|full) join /.test(sql)) throw new Error("prepared: inner joins alone.");
  return { sql, params, read: rowReader(query._.selectedFields as Fields) };
}

type Fields = { [name: string]: Column | SQL | SQL.Aliased | Fields };
type RowReader = (row: readonly unknown[]) => Record<string, unknown>;
type Decoder = { mapFromDriverValue(value: unknown): unknown };

/** Turns a row of values, in the order of the select's fields, into an object. */
function rowReader(fields: Fields, position = { next: 0 }): RowReader {
  const readers = Object.entries(fields).map(([name, field]) => {
    const decoder = decoderOf(field);
    if (!decoder) return { name, read: rowReader(field as Fields, position) };
    const at = position.next++;
    const read = (row: readonly unknown[]) =>
      row[at] === null ? null : decoder.mapFromDriverValue(row[at]);
    return { name, read };
  });
  return (row) => {
    const object: Record<string, unknown> = {};
    for (const { name, read } of readers) object[name] = read(row);
    return object;
  };
}

/** Undefined for an object of fields. */
function decoderOf(field: Fields[string]): Decoder | undefined {
  if (is(field, Column)) return field;
  const expression = is(field, SQL.Aliased) ? field.sql : field;
  // Drizzle keeps it there, and does not say so in its types.
  if (is(expression, SQL)) return (expression as unknown as { decoder: Decoder }).decoder;
  return undefined;
}
