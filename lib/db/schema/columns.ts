import { customType, timestamp } from "drizzle-orm/pg-core";

/*
 * Column types that several tables share. Rules that must hold for every writer are constraints of
 * the tables; rules that change with time (is this session live?) are in the queries of lib/auth.
 */

export const bytea = customType<{ data: Buffer }>({ dataType: () => "bytea" });

/** A timestamp with time zone, as all times are. Only the database's clock decides. */
export const at = (column: string) => timestamp(column, { withTimezone: true });
