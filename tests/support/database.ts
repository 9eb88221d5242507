import { drizzle } from "drizzle-orm/postgres-js";
import postgres from "postgres";
import { afterAll, inject } from "vitest";
import { connect, type Db } from "@/lib/db/client";
import { readVariable } from "@/lib/env";
import { unboundStatements } from "./isolation";
import { cloneTemplate } from "./postgres";

/*
 * The database of a test file, freshly cloned before the file runs. Tests of one file share it, so
 * each test creates its own users (users.ts) and checks only those. Read these variables inside
 * functions: the next file in the same process has others.
 *
 * Statements sent through a `db` count as the product's. After the file, each of them that concerns
 * a team's table must be restricted to one team, as isolation.ts judges it. A test's own statements
 * go through `sql`.
 */

const { url, template } = inject("postgres");

export let databaseUrl: string;
export let sql: postgres.Sql;
export let db: Db;

/** The texts of all statements that went through a `db`. */
export const sent = new Set<string>();

/** Opens the database. open-database.ts calls it before each test file. */
export async function openDatabase(): Promise<void> {
  databaseUrl = await cloneTemplate(url, template, `worker_${readVariable("VITEST_POOL_ID")}`);
  sql = connect(databaseUrl).sql;
  db = drizzle({ client: noting(sql) });
  sent.clear();
  // Registered before the test file's own hooks, so it runs after them.
  afterAll(async () => {
    const found = await unboundStatements(sql, sent);
    await Promise.all([sql, ...counted.splice(0)].map((client) => client.end()));
    if (found.length > 0) throw new Error(found.join("\n"));
  });
}

/** Returns a pool with one connection for each contender of a race. The test ends it. */
export function racingConnections(max: number): ReturnType<typeof connect> {
  // Long, because hundreds connect at once, which takes seconds on a busy machine.
  const racing = connect(databaseUrl, { max, connectTimeout: 60 });
  return { ...racing, db: drizzle({ client: noting(racing.sql) }) };
}

/**
 * Opens one connection that records its statements. `take` returns the first word of each since
 * the last call.
 */
export async function countedConnection(): Promise<{ db: Db; take: () => string[] }> {
  const texts: string[] = [];
  const client = postgres(databaseUrl, { max: 1, debug: (_, text) => texts.push(text) });
  counted.push(client);
  await client`select 1`; // the driver sends a query of its own once per connection
  const take = () => texts.splice(0).map((text) => text.trim().split(/\s+/)[0] ?? "");
  take();
  return { db: drizzle({ client: noting(client) }), take };
}

/**
 * Wraps a client to add each statement to `sent`. Covers the methods that Drizzle
 * and lib/db/prepared.ts use.
 */
function noting<Client extends object>(client: Client): Client {
  return new Proxy(client, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== "function") return value;
      if (name === "unsafe")
        return (text: string, ...rest: unknown[]) => {
          sent.add(text);
          return value(text, ...rest);
        };
      if (name === "begin" || name === "savepoint")
        return (run: (tx: object) => unknown) => value((tx: object) => run(noting(tx)));
      return value;
    },
  });
}

const counted: postgres.Sql[] = [];
