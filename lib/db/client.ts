import { DrizzleQueryError } from "drizzle-orm/errors";
import type { PgDatabase } from "drizzle-orm/pg-core";
import { drizzle, type PostgresJsQueryResultHKT } from "drizzle-orm/postgres-js";
import postgres from "postgres";
import { databaseEnv } from "@/lib/env";
import { type Limits, limitAnswers, limitOptions, requestLimits } from "./limits";

// Drizzle puts the parameters of a failed query into its error, and the error goes to the log:
// hashes, emails, names. The query alone says what failed.
Object.defineProperty(DrizzleQueryError.prototype, "params", {
  configurable: true,
  set(this: DrizzleQueryError) {
    this.message = this.message.replace(/\nparams: [\s\S]*$/, "");
  },
});

// So does Postgres: its `detail` holds the values of the row that a constraint refused, `where` and
// `internal_query` may hold parameters, and the message of a data exception (SQLSTATE class 22) quotes
// the value. postgres.js assigns the fields in the order in which the server sends them: `routine`,
// the last, comes when code and message are there.
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

/** A pool or a transaction: what every function of lib/auth takes first. */
export type Db = PgDatabase<PostgresJsQueryResultHKT>;

export type Connection = { db: Db; sql: postgres.Sql };

/**
 * A pool of its own, for commands, recurring jobs and tests; requests use `database()`. The caller ends it
 * with `sql.end()`. `?pgbouncer=true`, for poolers without prepared statements, turns these off.
 * `connectTimeout` is in seconds. Without `limits` a statement may take any time.
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
    // A constant, so that the first request after an outage finds the database again; the default
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
 * Mends two defects of postgres.js 3.4.9 where it asks whether a connection may take another statement: by
 * `onexecute`, which its types do not name, and which `begin` sets itself.
 *
 * Behind a statement without parameters it sends the next one before the answer. PgBouncer 1.18 gives the
 * connection to Postgres away with the first answer, though the next statement, which comes in two parts, is half
 * sent: it never gets an answer (PgBouncer's issue 759). So a pooled connection takes one statement at a time.
 *
 * Its lists of connections grow by an entry with each statement, until one is empty by chance, and each statement
 * walks them: after 200,000 statements one costs more than twice the time. To take out all entries frees the list.
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
 * Has every statement prepared, on the pool and in its transactions: one round trip, and a plan that Postgres may
 * keep. As Drizzle sends them, they are two round trips and planned each time. A connection keeps each text that it
 * has seen, so texts must not differ without end: a list of any length is one array parameter.
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

/** A list of connections of postgres.js, such as those that are open and idle. */
type Queue = { length: number; shift(): unknown; push(connection: unknown): unknown };

// On globalThis, because a development server evaluates this module again at every change.
const shared: { latchkeyConnection?: Connection } = globalThis as object;

/** The application's only pool, opened by the first query. */
export function database(): Db {
  shared.latchkeyConnection ??= open();
  return shared.latchkeyConnection.db;
}

/** At shutdown. Waits for the queries that are in progress; a later one fails. */
export async function closeDatabase(): Promise<void> {
  await shared.latchkeyConnection?.sql.end();
}

/** The postgres.js client under a pool or a transaction, for a statement that is worth going past Drizzle. */
export function clientOf(db: Db): postgres.Sql {
  // Drizzle keeps it there for both, and does not say so in its types.
  return (db as unknown as { session: { client: postgres.Sql } }).session.client;
}

/**
 * For load balancers: whether the database answers at all. Asks again when the first question fails,
 * which may say no more than that its connection died in the pool. Never throws; the caller limits
 * the wait.
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

/** Whether Postgres ends a statement that takes too long. A pooler may not pass the limits on: see limits.ts. */
export async function endsLongStatements(db: Db): Promise<boolean> {
  const [row] = await db.execute<{ limit: string }>(
    "select current_setting('statement_timeout') as limit",
  );
  return row?.limit !== "0";
}

/** Whether a query failed because the database could not do it now, and not because it was wrong. */
export function isUnreachable(error: unknown): boolean {
  const cause = error instanceof Error ? (error.cause ?? error) : undefined;
  const code = typeof cause === "object" && cause !== null && "code" in cause ? cause.code : "";
  // postgres.js' own and the system's; Postgres' while it stops, crashes or starts (57P0), for a statement
  // that took too long (57014), for a full disk or too many connections (53), for a pooler without its
  // server (08), and for a write to a replica (25006) or in a transaction that idled (25P03).
  return /^(CONNECT|ECONN|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|EHOSTUNREACH|EPIPE|57P0|57014|53|08|25006|25P03)/.test(
    `${code}`,
  );
}

function open(): Connection {
  const { DATABASE_URL, DATABASE_POOL_MAX } = databaseEnv();
  return connect(DATABASE_URL, { max: DATABASE_POOL_MAX, limits: requestLimits });
}
