import { connect, type Socket } from "node:net";
import postgres from "postgres";
import { seconds } from "@/lib/time";

/*
 * Limits how long a request waits for the database, and handles lost connections. A live
 * Postgres ends long statements itself. A paused server, or a network that drops packets,
 * neither answers nor closes the connection: without limits on this side, a request would wait a
 * quarter of an hour, until the kernel gives the connection up. DEPLOY.md ("When something
 * fails") names these numbers.
 */

export type Limits = typeof requestLimits;

/** Milliseconds. Proxies give up after 30 or 60 seconds. */
export const requestLimits = {
  statement: seconds(10), // Postgres ends a longer one, including its wait for locks
  idleTransaction: seconds(10), // Postgres ends a transaction whose client vanished, with its locks
  answer: seconds(15), // for connection and answer; longer than `statement`, whose error says more
  idle: seconds(10), // an unused connection of the pool is closed
  silence: seconds(25), // closed if no byte comes; longer than either idle limit plus `statement`
};

/**
 * Returns the options that `connect` passes to postgres.js. Poolers refuse parameters that they do
 * not know, so with `pooled` there are none.
 */
export function limitOptions(limits: Limits, pooled: boolean) {
  const { statement, idleTransaction } = limits;
  return {
    idle_timeout: limits.idle / 1000,
    socket: (target: Target) => openSocket(target, limits.silence),
    connection: pooled
      ? {}
      : { statement_timeout: statement, idle_in_transaction_session_timeout: idleTransaction },
  };
}

/** What postgres.js passes to `socket`; its types do not declare it. */
type Target = { host: string[]; port: number[]; path?: string };

/** Opens the connection's socket. TLS runs over it and counts as its traffic. */
function openSocket({ host: [host], port: [port], path }: Target, silence: number): Socket {
  const socket = path ? connect(path) : connect(port ?? 5432, host);
  closeWhenSilent(socket, silence);
  // Without this, postgres.js would reconnect endlessly to a proxy that has no database behind it.
  socket.once("end", () => {
    if (socket.bytesRead === 0) socket.destroy(failure("ECONNRESET", "closed before its greeting"));
  });
  // Between "error" and "close", postgres.js 3.4.9 sends statements to the lost socket, and never
  // uses that place of its pool again (its issues 1154 and 1208). With "close" alone, everything in
  // progress fails in one step.
  const emit = socket.emit.bind(socket);
  socket.emit = (event: string, ...args: unknown[]) => {
    if (event === "error" && socket.bytesRead > 0) return true;
    return event === "close" ? emit(event, false) : emit(event, ...args);
  };
  return Object.assign(socket, { host, port }); // read for the certificate's name and in errors
}

/**
 * Closes a socket that receives nothing. What it sends does not count, because new statements are
 * sent to a dead connection too. The timers here and below check one turn of the event loop later,
 * after what has arrived while this process was busy has been read.
 */
function closeWhenSilent(socket: Socket, silence: number): void {
  let received = 0;
  let since = Date.now();
  const look = () => {
    if (socket.bytesRead > received) since = Date.now();
    received = socket.bytesRead;
    if (Date.now() - since > silence) socket.destroy(failure("ETIMEDOUT", "no answer"));
  };
  const timer = setInterval(() => setImmediate(look), silence / 10);
  timer.unref();
  socket.once("close", () => clearInterval(timer));
}

/** The state of a transaction, from its `begin` on. */
type Transaction = { lost: boolean };

/**
 * Returns the client with statements and transactions that fail after `limit`, whether they wait
 * for a connection of the pool or for their answer. The limit applies to a transaction's `begin`
 * and to each of its statements, not to the whole transaction.
 */
export function limitAnswers<Client extends object>(
  client: Client,
  limit: number,
  transaction?: Transaction,
): Client {
  return new Proxy(client, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== "function") return value;
      if (name === "unsafe")
        return (...args: unknown[]) =>
          limitStatement(value.apply(target, args), limit, transaction);
      if (name === "savepoint" && transaction)
        return (run: Run) => value((tx: object) => inside(tx, run, limit, transaction));
      if (name === "begin") return (run: Run) => begin(value as Begin, run, limit);
      return value;
    },
  });
}

type Run = (tx: object) => unknown;
type Begin = (run: Run) => Promise<unknown>;
type Statement = postgres.PendingQuery<postgres.Row[]>;

/**
 * Limits `then`, because a statement is sent only when it is awaited, after the form of its result
 * has been chosen.
 */
function limitStatement(
  statement: Statement,
  limit: number,
  transaction: Transaction | undefined,
): Statement {
  const send = statement.then.bind(statement);
  const limited: Statement["then"] = (answered, failed) =>
    new Promise<Awaited<Statement>>((resolve, reject) => {
      if (transaction?.lost) return reject(failure("ECONNRESET", "its transaction was lost"));
      const giveUp = () => reject(failure("ETIMEDOUT", "no answer"));
      const timer = setTimeout(() => setImmediate(giveUp), limit);
      const onRows = (rows: Awaited<Statement>) => {
        clearTimeout(timer);
        resolve(rows);
      };
      const onError = (error: unknown) => {
        clearTimeout(timer);
        if (!isLoss(error)) return reject(error);
        if (transaction) transaction.lost = true;
        // Under TLS, "close" comes a turn later: the next statement must not
        // get the lost connection.
        setImmediate(() => setImmediate(reject, error));
      };
      send(onRows, onError);
    }).then(answered, failed);
  // biome-ignore lint/suspicious/noThenProperty: a promise stays one
  return Object.defineProperty(statement, "then", { value: limited });
}

/**
 * Limits the wait for a transaction's `begin`. A transaction that begins after its caller has got
 * the error changes nothing.
 */
function begin(open: Begin, run: Run, limit: number): Promise<unknown> {
  const transaction = { lost: false };
  return new Promise((resolve, reject) => {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      reject(failure("ETIMEDOUT", "no connection"));
    }, limit);
    open((tx) => {
      clearTimeout(timer);
      if (late) throw failure("ETIMEDOUT", "no connection");
      return inside(tx, run, limit, transaction);
    }).then(resolve, (error) => {
      clearTimeout(timer);
      if (isLoss(error)) transaction.lost = true;
      reject(error);
    });
  });
}

/**
 * postgres.js would send the rest of a lost transaction, including its commit or rollback, over the
 * next connection in the same place of its pool, into another request's transaction (its issue
 * 1216). So the run of a lost transaction never settles. Nothing waits for it, because `begin` has
 * already been rejected with the loss.
 */
async function inside(
  tx: object,
  run: Run,
  limit: number,
  transaction: Transaction,
): Promise<unknown> {
  try {
    return await run(limitAnswers(tx, limit, transaction));
  } finally {
    if (transaction.lost) await new Promise(() => {});
  }
}

/** Whether the connection is gone, by the codes of postgres.js and of the system. */
function isLoss(error: unknown): boolean {
  if (!(error instanceof Error) || error instanceof postgres.PostgresError) return false;
  return /^(CONNECTION_(CLOSED|DESTROYED)|E[A-Z]{4,})$/.test(
    "code" in error ? `${error.code}` : "",
  );
}

function failure(code: string, what: string): Error {
  return Object.assign(new Error(`The database: ${what}.`), { code });
}
