import { connect, type Socket } from "node:net";
import postgres from "postgres";
import { seconds } from "@/lib/time";

/*
 * Owns how long a request waits for the database, and what a lost connection does. Postgres ends a statement
 * itself while it lives. A server that is paused, or a network that drops packets, answers nothing and closes
 * nothing: without limits on this side, a request would wait until the kernel gives its connection up, a quarter
 * of an hour later. DEPLOY.md ("When something fails") names these numbers.
 */

export type Limits = typeof requestLimits;

/** Milliseconds. Proxies give up after 30 or 60 seconds. */
export const requestLimits = {
  statement: seconds(10), // Postgres ends a longer one, its wait for locks included
  idleTransaction: seconds(10), // and ends a transaction whose server has vanished, with its locks
  answer: seconds(15), // for a connection of the pool and the answer; longer than `statement`, whose error says more
  idle: seconds(10), // a connection of the pool that is not used is closed
  silence: seconds(25), // one that brings no byte: longer than `idle` or `idleTransaction`, then `statement`
};

/** `connect`'s options for postgres.js. Poolers refuse parameters that they do not know: `pooled` sends none. */
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

/** What postgres.js gives to `socket`, and its types do not say. */
type Target = { host: string[]; port: number[]; path?: string };

/** TLS runs over this socket, and counts as its traffic. */
function openSocket({ host: [host], port: [port], path }: Target, silence: number): Socket {
  const socket = path ? connect(path) : connect(port ?? 5432, host);
  closeWhenSilent(socket, silence);
  // Without it, postgres.js would connect again without end to a proxy that has no database behind it.
  socket.once("end", () => {
    if (socket.bytesRead === 0) socket.destroy(failure("ECONNRESET", "closed before its greeting"));
  });
  // Between "error" and "close", postgres.js 3.4.9 sends statements to a socket that is lost, and never uses that
  // place of its pool again (its issues 1154 and 1208). "close" alone fails what is in progress, in one step.
  const emit = socket.emit.bind(socket);
  socket.emit = (event: string, ...args: unknown[]) => {
    if (event === "error" && socket.bytesRead > 0) return true;
    return event === "close" ? emit(event, false) : emit(event, ...args);
  };
  return Object.assign(socket, { host, port }); // postgres.js reads them for the certificate's name and its errors
}

/**
 * By what it receives: new statements are sent to a dead connection too. Timers here and below look a turn later,
 * when what has arrived while this process was busy has been read.
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

/** A transaction, from its begin. */
type Transaction = { lost: boolean };

/**
 * The client whose statements and transactions fail after `limit`, whether they wait for a connection of the
 * pool or for their answer. Of a transaction, what waits is its begin; its statements have the limit each.
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

/** A statement is sent when it is awaited, after its result's form was chosen: so `then` is what is limited. */
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
        // Under TLS, "close" comes a turn later: a next statement must not get the lost connection.
        setImmediate(() => setImmediate(reject, error));
      };
      send(onRows, onError);
    }).then(answered, failed);
  // biome-ignore lint/suspicious/noThenProperty: a promise stays one
  return Object.defineProperty(statement, "then", { value: limited });
}

/** A transaction that begins after its caller was answered changes nothing. */
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
 * postgres.js would send what is left of a lost transaction, its commit or rollback too, over the next connection
 * in the same place of its pool, into another request's transaction (its issue 1216). It has answered `begin` with
 * the loss, so what never settles here is waited for by nothing.
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
