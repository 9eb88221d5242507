import { drizzle } from "drizzle-orm/postgres-js";
import postgres from "postgres";
import type { Db } from "@/lib/db/client";
import { databaseUrl } from "./database";

/** A scan of a table, with the field names of `explain (format json)`. */
export type Scan = Record<string, unknown>;

/** Returns the scans of the one statement that `ask` sends, with the numbers of rows read. */
export async function scansOf(ask: (db: Db) => Promise<unknown>): Promise<Scan[]> {
  const sent: { text: string; parameters: unknown[] }[] = [];
  const client = postgres(databaseUrl, {
    max: 1,
    debug: (_, text, parameters) => sent.push({ text, parameters }),
  });
  try {
    await client`select 1`; // the driver sends a query of its own once per connection
    sent.length = 0;
    await ask(drizzle({ client }));
    const [statement, ...more] = sent;
    if (!statement || more.length > 0) throw new Error(`scansOf: ${sent.length} statements.`);
    const [row] = await client.unsafe<{ "QUERY PLAN": { Plan: Node }[] }[]>(
      `explain (analyze, timing off, format json) ${statement.text}`,
      statement.parameters as string[], // as they were passed to the driver
    );
    return nodesOf(row?.["QUERY PLAN"][0]?.Plan).filter((node) => "Relation Name" in node);
  } finally {
    await client.end();
  }
}

type Node = Scan & { Plans?: Node[] };

function nodesOf(node: Node | undefined): Node[] {
  return node ? [node, ...(node.Plans ?? []).flatMap(nodesOf)] : [];
}
