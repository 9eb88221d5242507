import { customType, timestamp } from "drizzle-orm/pg-core";

/*
 * Column types that several tables share. Rules that must hold for every writer stand in the tables as
 * constraints; rules that change with time (is this session live?) stand in the queries of lib/auth.
 */

export const bytea = customType<{ data: Buffer }>({ dataType: () => "bytea" });

/** All times are with zone: the database's clock is the only one that decides. */
export const at = (column: string) => timestamp(column, { withTimezone: true });
