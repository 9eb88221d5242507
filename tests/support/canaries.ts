import { randomBytes } from "node:crypto";
import type { Connection } from "@/lib/db/client";
import { readCatalog } from "./isolation";

/* Plants a secret word in a team's rows, to search for in responses to users without access. */

/**
 * Writes a secret word into the team's name and all text columns of its tables. Returns the word.
 */
export async function plantCanaries(connection: Connection, team: { id: string }): Promise<string> {
  const { sql } = connection;
  const letters = [...randomBytes(16)].map((byte) => String.fromCharCode(97 + (byte % 26)));
  const word = `canary${letters.join("")}`;
  await sql`update teams set name = ${word} where id = ${team.id}`;
  const { teamTables } = await readCatalog(sql);
  const columns = await sql<{ table: string; column: string }[]>`
    select table_name as table, column_name as column from information_schema.columns
    where table_schema = 'public' and table_name in ${sql([...teamTables])}
      and data_type in ('text', 'character varying')`;
  for (const { table, column } of columns) {
    const write = (value: string) => sql`
      update ${sql(table)} set ${sql(column)} = ${value} where team_id = ${team.id}`;
    await write(word)
      .catch(() => write(`${word}@example.com`))
      .catch((error) => expectClosed(connection, error.constraint_name, `${table}.${column}`));
  }
  return word;
}

/** A column that rejects the word must be restricted to a list of values. */
async function expectClosed({ sql }: Connection, constraint: string, column: string) {
  const [check] = await sql<{ text: string }[]>`
    select pg_get_constraintdef(oid) as text from pg_constraint where conname = ${constraint}`;
  if (!/ = ANY \(ARRAY\[/.test(`${check?.text}`))
    throw new Error(`Let plantCanaries write a value that ${column} takes.`);
}

/** Returns all rows of a team, and its own, as text that begins with the table's name. */
export async function rowsOf({ sql }: Connection, team: { id: string }): Promise<string[]> {
  const { teamTables } = await readCatalog(sql);
  const selects = [...teamTables].map(
    (table) =>
      `select '${table} ' || to_jsonb(t)::text as row from "${table}" t where team_id = $1`,
  );
  const own = "select 'teams ' || to_jsonb(t)::text as row from teams t where id = $1";
  const rows = await sql.unsafe<{ row: string }[]>(
    `${[own, ...selects].join(" union all ")} order by 1`,
    [team.id],
  );
  return rows.map(({ row }) => row);
}
