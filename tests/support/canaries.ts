import { randomBytes } from "node:crypto";
import type { Connection } from "@/lib/db/client";
import { readCatalog } from "./isolation";

/* Secret words in the rows of a team, to look for in answers to users who must not see them. */

/**
 * Writes a secret word into the team's name and into every text column of every table of a team. Returns
 * the word, and the columns that refuse it because they have a closed set of values.
 */
export async function plantCanaries(
  { sql }: Connection,
  team: { id: string },
): Promise<{ word: string; closed: string[] }> {
  const word = `canary${randomBytes(8).toString("hex")}`;
  await sql`update teams set name = ${word} where id = ${team.id}`;
  const { teamTables } = await readCatalog(sql);
  const columns = await sql<{ table: string; column: string }[]>`
    select table_name as table, column_name as column from information_schema.columns
    where table_schema = 'public' and table_name in ${sql([...teamTables])}
      and data_type in ('text', 'character varying') order by 1, 2`;
  const closed: string[] = [];
  for (const { table, column } of columns) {
    const write = (value: string) => sql`
      update ${sql(table)} set ${sql(column)} = ${value} where team_id = ${team.id}`;
    const written = await write(word)
      .catch(() => write(`${word}@example.com`))
      .catch(({ code }) => code);
    if (written === "23514") closed.push(`${table}.${column}`);
    else if (typeof written === "string") throw new Error(`${table}.${column}: ${written}`);
  }
  return { word, closed };
}

/** Every row of a team, and its own, as text. */
export async function rowsOf({ sql }: Connection, team: { id: string }): Promise<string[]> {
  const { teamTables } = await readCatalog(sql);
  const selects = [...teamTables].map(
    (table) => `select '${table} ' || to_jsonb(t)::text as row from "${table}" t where team_id = $1`,
  );
  const own = "select 'teams ' || to_jsonb(t)::text as row from teams t where id = $1";
  const rows = await sql.unsafe<{ row: string }[]>(
    `${[own, ...selects].join(" union all ")} order by 1`,
    [team.id],
  );
  return rows.map(({ row }) => row);
}
