import { drizzle } from "drizzle-orm/postgres-js";
import postgres from "postgres";
import { afterAll, inject } from "vitest";
import { connect, type Db } from "@/lib/db/client";
import { readVariable } from "@/lib/env";
import { cloneTemplate } from "./postgres";

/*
 * Import this and the test file owns a database, freshly cloned. Tests of one file share it, so
 * each makes its own users (users.ts) and looks at theirs alone.
 */

const { url, template } = inject("postgres");

export const databaseUrl = await cloneTemplate(
  url,
  template,
  `worker_${readVariable("VITEST_POOL_ID")}`,
);

export const { db, sql } = connect(databaseUrl);

/** A pool as wide as a race needs, each caller on a connection of its own. The test ends it. */
export function racingConnections(max: number): ReturnType<typeof connect> {
  return connect(databaseUrl, { max });
}

/** One connection that notes its statements. `take` returns the first word of each since the last call. */
export async function countedConnection(): Promise<{ db: Db; take: () => string[] }> {
  const sent: string[] = [];
  const client = postgres(databaseUrl, { max: 1, debug: (_, text) => sent.push(text) });
  counted.push(client);
  await client`select 1`; // what the driver asks once for each connection
  const take = () => sent.splice(0).map((text) => text.trim().split(/\s+/)[0] ?? "");
  take();
  return { db: drizzle({ client }), take };
}

const counted: postgres.Sql[] = [];
afterAll(() => Promise.all([sql, ...counted].map((client) => client.end())));
