import { Column, fillPlaceholders, is, SQL } from "drizzle-orm";
import { PgDialect } from "drizzle-orm/pg-core";
import { clientOf, type Db } from "./client";

/*
 * Turns a Drizzle select, or a statement in SQL, into a prepared statement of postgres.js, for the
 * statements that every request makes, such as the lookup of a session. The SQL is built once, and
 * each call is one round trip. With Drizzle's own `prepare`, such a lookup costs more time in this
 * process than in the database.
 */

/** The part of a Drizzle select that is used here. */
type Select<Row> = {
  _: { selectedFields: unknown; result: Row[] };
  toSQL(): { sql: string; params: unknown[] };
};

/**
 * Runs the statement on a pool or a transaction. `values` holds the value of each
 * `sql.placeholder(name)`.
 */
export type Prepared<Row> = (db: Db, values: Record<string, unknown>) => Promise<Row[]>;

/**
 * Returns a `QueryBuilder`'s select as a prepared statement with typed objects as its rows, nested
 * like the select's fields. Supports inner joins only: for an outer join, Drizzle's types promise
 * null in place of an object whose row is missing, but this would return an object of nulls. Pass a
 * select that depends on `env()` as a function, which is called at the first use.
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
 * Returns SQL that Drizzle cannot build, such as `with … update`, as a prepared statement. Its rows
 * are as the driver returns them, like those of `db.execute`: dates are strings.
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
  if (/ (left|right|full) join /.test(sql))
    throw new Error("prepared: only inner joins are supported.");
  return { sql, params, read: rowReader(query._.selectedFields as Fields) };
}

type Fields = { [name: string]: Column | SQL | SQL.Aliased | Fields };
type RowReader = (row: readonly unknown[]) => Record<string, unknown>;
type Decoder = { mapFromDriverValue(value: unknown): unknown };

/** Returns a function that turns a row of values, in the order of the fields, into an object. */
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

/** Returns the decoder of a field; undefined for an object of fields. */
function decoderOf(field: Fields[string]): Decoder | undefined {
  if (is(field, Column)) return field;
  const expression = is(field, SQL.Aliased) ? field.sql : field;
  // Drizzle keeps it there, but does not declare it in its types.
  if (is(expression, SQL)) return (expression as unknown as { decoder: Decoder }).decoder;
  return undefined;
}
