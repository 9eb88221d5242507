import { DrizzleQueryError } from "drizzle-orm/errors";
import type { PgDatabase } from "drizzle-orm/pg-core";
import { drizzle, type PostgresJsQueryResultHKT } from "drizzle-orm/postgres-js";
import postgres from "postgres";
import { databaseEnv } from "@/lib/env";
import { type Limits, limitAnswers, limitOptions, requestLimits } from "./limits";

// Drizzle puts the parameters of a failed query (hashes, emails, names) into its error, and errors
// are logged. The query alone shows what failed.
Object.defineProperty(DrizzleQueryError.prototype, "params", {
  configurable: true,
  set(this: DrizzleQueryError) {
    this.message = this.message.replace(/\nparams: [\s\S]*$/, "");
  },
});

// Postgres does so too: `detail` holds the values of the row that a constraint refused, `where` and
// `internal_query` may hold parameters, and the message of a data exception (SQLSTATE class 22)
// quotes the value. postgres.js assigns the fields in the order in which the server sends them:
// `routine` comes last, when code and message are set.
const dropped = { configurable: true, set() {} };
Object.defineProperties(postgres.PostgresError.prototype, {
  detail: dropped,
  where: dropped,
  internal_query: dropped,
  routine: {
    configurable: true,
    set(this: postgres.PostgresError) {
      if (this.code.startsWith("22")) this.message = this.message.replace(/"[\s\S]*"/, '"…"');
    },
  },
});

/** A pool or a transaction. Every function of lib/auth takes it as its first parameter. */
export type Db = PgDatabase<PostgresJsQueryResultHKT>;

export type Connection = { db: Db; sql: postgres.Sql };

/**
 * Opens a separate pool, for commands, recurring jobs and tests; requests use `database()`.
 * The caller ends it with `sql.end()`. `?pgbouncer=true` turns prepared statements off, for
 * poolers that do not support them. `connectTimeout` is in seconds. Without `limits`, a
 * statement may take any time.
 */
export function connect(
  url: string,
  options: { max?: number; connectTimeout?: number; limits?: Limits } = {},
): Connection {
  const target = new URL(url);
  const pooled = target.searchParams.get("pgbouncer") === "true";
  target.searchParams.delete("pgbouncer");
  const { limits } = options;
  const limited = limits && limitOptions(limits, pooled);
  const sql = postgres(target.href, {
    ...limited,
    max: options.max ?? 10,
    prepare: !pooled,
    connect_timeout: options.connectTimeout ?? 5,
    // Constant, so that the first request after an outage finds the database again; the default
    // grows to 20 seconds.
    backoff: () => 0.1,
    onnotice: () => {},
    connection: { application_name: "latchkey", ...limited?.connection },
  });
  mendQueues(sql, pooled);
  if (!pooled) prepareStatements(sql);
  return { db: drizzle({ client: limits ? limitAnswers(sql, limits.answer) : sql }), sql };
}

/**
 * Works around two defects of postgres.js 3.4.9 with `onexecute`, which it calls to ask whether a
 * connection may take another statement. Its types do not declare it, and `begin` sets its own.
 *
 * Behind a statement without parameters, postgres.js sends the next one before the answer.
 * PgBouncer 1.18 releases the server connection at the first answer, although the next statement,
 * which is sent in two parts, is only half sent: it is never answered (PgBouncer's issue 759). So a
 * pooled connection takes one statement at a time.
 *
 * The lists of connections in postgres.js grow by an entry with each statement, until one happens
 * to be empty, and each statement walks them: after 200,000 statements, one takes more than twice
 * as long. Taking out all entries frees the list.
 */
function mendQueues(sql: postgres.Sql, pooled: boolean): void {
  const onexecute = ({ queue }: { queue: Queue }) => {
    const connections: unknown[] = [];
    while (queue.length > 0) connections.push(queue.shift());
    connections.forEach(queue.push);
    return !pooled;
  };
  const send = sql.unsafe.bind(sql);
  sql.unsafe = (query, parameters, options) =>
    send(query, parameters, { onexecute, ...options } as typeof options);
}

/**
 * Prepares every statement, on the pool and in its transactions: one round trip, and a plan that
 * Postgres may keep. As Drizzle sends them, statements take two round trips and are planned each
 * time. A connection keeps every statement text it has seen, so the number of different texts must
 * be bounded: pass a list of any length as one array parameter.
 */
function prepareStatements(sql: postgres.Sql): void {
  const prepare = (client: postgres.ISql) => {
    const send = client.unsafe.bind(client);
    client.unsafe = (query, parameters, options) =>
      send(query, parameters, { ...options, prepare: true });
  };
  prepare(sql);
  const begin = sql.begin.bind(sql) as (run: (tx: postgres.TransactionSql) => unknown) => unknown;
  const prepared = (run: (tx: postgres.TransactionSql) => unknown) =>
    begin((tx) => {
      prepare(tx);
      return run(tx);
    });
  sql.begin = prepared as typeof sql.begin;
}

/** A list of connections in postgres.js, such as the open and idle ones. */
type Queue = { length: number; shift(): unknown; push(connection: unknown): unknown };

// On globalThis, because a development server evaluates this module again at every change.
const shared: { latchkeyConnection?: Connection } = globalThis as object;

/** Returns the application's only pool. The first call opens it. */
export function database(): Db {
  shared.latchkeyConnection ??= open();
  return shared.latchkeyConnection.db;
}

/** Closes the pool at shutdown. Waits for queries in progress; later ones fail. */
export async function closeDatabase(): Promise<void> {
  await shared.latchkeyConnection?.sql.end();
}

/**
 * Returns the postgres.js client of a pool or a transaction, for a statement that is worth
 * bypassing Drizzle.
 */
export function clientOf(db: Db): postgres.Sql {
  // Drizzle keeps it there for both, but does not declare it in its types.
  return (db as unknown as { session: { client: postgres.Sql } }).session.client;
}

/**
 * Returns whether the database answers at all, for load balancers. Asks again if the first query
 * fails, because that may only mean that its pooled connection had died. Never rejects; the caller
 * limits the wait.
 */
export function isAnswering(db: Db): Promise<boolean> {
  const ask = () => db.execute("select 1").execute();
  return ask()
    .catch(ask)
    .then(
      () => true,
      () => false,
    );
}

/**
 * Returns whether Postgres ends a statement that takes too long. A pooler may not pass the limit
 * on: see limits.ts.
 */
export async function endsLongStatements(db: Db): Promise<boolean> {
  const [row] = await db.execute<{ limit: string }>(
    "select current_setting('statement_timeout') as limit",
  );
  return row?.limit !== "0";
}

/**
 * Returns whether a query failed because the database could not execute it now,
 * not because it was wrong.
 */
export function isUnreachable(error: unknown): boolean {
  const cause = error instanceof Error ? (error.cause ?? error) : undefined;
  const code = typeof cause === "object" && cause !== null && "code" in cause ? cause.code : "";
  // The codes of postgres.js and of the system; and those of Postgres for stopping, crashing or
  // starting (57P0), a statement that took too long (57014), a full disk or too many
  // connections (53), a pooler without its server (08), a write to a replica (25006), and a
  // transaction that idled (25P03).
  return /^(CONNECT|ECONN|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|EHOSTUNREACH|EPIPE|57P0|57014|53|08|25006|25P03)/.test(
    `${code}`,
  );
}

function open(): Connection {
  const { DATABASE_URL, DATABASE_POOL_MAX } = databaseEnv();
  return connect(DATABASE_URL, { max: DATABASE_POOL_MAX, limits: requestLimits });
}
