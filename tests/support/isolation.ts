import type postgres from "postgres";
import { allNodes, bindings, type Plan, type Scan, scansOf } from "./bindings";

/*
 * Checks with the planner that a statement is restricted to one team. A team's table is one whose
 * primary key begins with `team_id`. The list comes from the catalog, so a new table is covered at
 * once. Each scan of such a table needs an equality between its `team_id` and a parameter, or a
 * column bound by another equality. An equality under an OR does not count.
 */

/** Columns besides `team_id` that may bind a scan, and why they show nothing of other teams. */
const otherKeys: Record<string, Record<string, string>> = {
  members: { user_id: "the teams of one user" },
  invitations: {
    email: "the invitations for one user: an account proves its email",
    token_hash: "the token of the mailed link is the proof",
    invited_by: "what one user sent",
  },
  team_keys: {
    key_hash: "the key is the proof, and its row names the team",
    created_by: "what one user made, when an attacker was that user",
  },
};

/** Scans that intentionally read all teams. */
const exempt: { table: string; statement: RegExp; reason: string }[] = [
  {
    table: "members",
    statement: /^\s*select id, handle, name, .* from "teams"/s,
    reason: "administrators see how many members each team has",
  },
  {
    table: "members",
    statement: /select c.team_id as team from "billing_customers" c/,
    reason: "the nightly comparison of seats looks at every team that pays",
  },
  {
    table: "members",
    statement: /^\s*with own as \(select user_id, team_id, role from members where user_id = any/,
    reason: "a server compares the teams of the users whose pages it holds open",
  },
  {
    table: "invitations",
    statement: /delete from "invitations"\s+where "invitations"."expires_at" < now\(\)/,
    reason: "the clean-up deletes what expired long ago",
  },
  {
    table: "team_keys",
    statement: /^delete from "team_keys" where "team_keys"."expires_at" < now\(\)/,
    reason: "the clean-up deletes what expired long ago",
  },
];

export type Catalog = {
  teamTables: Set<string>;
  /** The unique indexes without a condition, by name. */
  uniqueIndexes: Map<string, { table: string; columns: string[] }>;
};

/** Returns one line per violation. Returns none on servers whose plans bindings.ts cannot read. */
export async function unboundStatements(
  sql: postgres.Sql,
  statements: Iterable<string>,
): Promise<string[]> {
  if (!(await canReadPlans(sql))) return [];
  const catalog = await readCatalog(sql);
  const naming = new RegExp(`\\b(${[...catalog.teamTables].join("|")})\\b`);
  const found: string[] = [];
  for (const statement of statements) {
    if (!/^\s*(select|with|insert|update|delete|merge)\b/i.test(statement)) continue;
    if (!naming.test(statement)) continue;
    const plan = await explain(sql, statement).catch((cause) => {
      throw new Error(`Cannot be explained: ${statement}`, { cause });
    });
    const scans = unboundScans(plan, catalog).filter(({ table }) => !isExempt(table, statement));
    const names = scans.map(({ table, alias }) => (table === alias ? table : `${table} ${alias}`));
    names.push(...unboundUpserts(plan, catalog));
    const advice = "compare its team_id with scope.teamId";
    if (names.length > 0)
      found.push(
        `Nothing limits ${names.sort().join(", ")} to one team (${advice}) in: ${statement}`,
      );
  }
  return found;
}

export async function canReadPlans(sql: postgres.Sql): Promise<boolean> {
  const [row] = await sql<{ version: number }[]>`
    select current_setting('server_version_num')::int as version`;
  return (row?.version ?? 0) >= 170_000;
}

export async function readCatalog(sql: postgres.Sql): Promise<Catalog> {
  type Index = { name: string; table: string; columns: string[]; primary: boolean };
  const indexes = await sql<Index[]>`
    select indexrelid::regclass::text as name, relname as table, indisprimary as primary,
      array(select attname::text
        from unnest(indkey::int2[]) with ordinality as key (attnum, position)
        join pg_attribute a on a.attrelid = indrelid and a.attnum = key.attnum
        order by position) as columns
    from pg_index join pg_class on pg_class.oid = indrelid
    where relnamespace = 'public'::regnamespace
      and indisunique and indpred is null and indexprs is null`;
  const ofTeams = indexes.filter(({ primary, columns }) => primary && columns[0] === "team_id");
  return {
    teamTables: new Set(ofTeams.map(({ table }) => table)),
    uniqueIndexes: new Map(indexes.map((index) => [index.name, index])),
  };
}

/** Uses a generic plan, which needs no parameter values. */
async function explain(sql: postgres.Sql, statement: string): Promise<Plan> {
  const [row] = await sql.unsafe<{ "QUERY PLAN": [{ Plan: Plan }] }[]>(
    `explain (generic_plan, verbose, format json) ${statement}`,
  );
  if (!row) throw new Error("explain: no plan.");
  return row["QUERY PLAN"][0].Plan;
}

function unboundScans(plan: Plan, { teamTables, uniqueIndexes }: Catalog): Scan[] {
  const isBound = bindings(plan, (table, column) => {
    const unique = [...uniqueIndexes.values()].filter((index) => index.table === table);
    if (!teamTables.has(table)) return unique.map(({ columns }) => columns);
    return column === "team_id" ? Object.keys(otherKeys[table] ?? {}).map((key) => [key]) : [];
  });
  return scansOf(plan).filter(
    ({ table, alias }) => teamTables.has(table) && !isBound(`${alias}.team_id`),
  );
}

/** Finds upserts without `team_id` in the key: `do update` could change another team's row. */
function unboundUpserts(plan: Plan, { teamTables, uniqueIndexes }: Catalog): string[] {
  const hasTeam = (index: string) => uniqueIndexes.get(index)?.columns.includes("team_id");
  return allNodes(plan)
    .filter((node) => node["Conflict Resolution"] === "UPDATE")
    .filter((node) => !node["Conflict Arbiter Indexes"]?.every(hasTeam))
    .map((node) => `${node["Relation Name"]}`)
    .filter((table) => teamTables.has(table));
}

function isExempt(scanned: string, text: string): boolean {
  return exempt.some(({ table, statement }) => table === scanned && statement.test(text));
}
