import { sql as query } from "drizzle-orm";
import { afterEach, describe, expect, it } from "vitest";
import { type Connection, connect, type Db, isUnreachable } from "@/lib/db/client";
import { type Limits, requestLimits } from "@/lib/db/limits";
import { minutes } from "@/lib/time";
import { databaseUrl, sql } from "@/tests/support/database";
import { startTcpProxy, type TcpProxy } from "@/tests/support/tcp-proxy";

const short: Limits = {
  statement: 300,
  idleTransaction: 400,
  answer: 500,
  silence: 900,
  idle: 600,
};
const patient = { timeout: minutes(1) };
const opened: { connection: Connection; proxy: TcpProxy }[] = [];

/** Opens a pool behind a proxy, with one connection already open. */
async function pool(limits?: Limits): Promise<Connection & { proxy: TcpProxy }> {
  const proxy = await startTcpProxy(databaseUrl);
  const connection = connect(proxy.url, { max: 1, limits });
  await connection.db.execute(query`select 1`);
  opened.push({ connection, proxy });
  return { ...connection, proxy };
}

afterEach(async () => {
  for (const { connection, proxy } of opened.splice(0)) {
    proxy.stop();
    await connection.sql.end({ timeout: 0 });
  }
});

/** Returns a promise and the function that resolves it. */
function later<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve = (_: T) => {};
  const promise = new Promise<T>((given) => {
    resolve = given;
  });
  return { promise, resolve };
}

const outcome = (work: PromiseLike<unknown>) =>
  Promise.resolve(work).then(
    () => "answered",
    (error) => (isUnreachable(error) ? "unreachable" : `${error}`),
  );

const select = ({ db }: Connection) => db.execute(query`select 1`);

describe("a transaction whose connection is lost", () => {
  /** Cuts the connection while `during` runs in a transaction. Returns its outcome. */
  const lose = async (
    { db, proxy }: Pick<Awaited<ReturnType<typeof pool>>, "db" | "proxy">,
    during: (tx: Db) => Promise<unknown>,
  ) => {
    const begun = later<void>();
    const lost = outcome(
      db.transaction(async (tx) => {
        await tx.execute(query`select 1`);
        begun.resolve();
        await during(tx);
      }),
    );
    await begun.promise;
    proxy.cut();
    proxy.mend();
    return lost;
  };

  it("fails, and frees its place in the pool", async () => {
    const { proxy, ...connection } = await pool(short);
    for (const _ of [1, 2]) {
      const lost = lose({ ...connection, proxy }, (tx) => tx.execute(query`select pg_sleep(0.2)`));
      expect(await lost).toBe("unreachable");
      expect(await outcome(select(connection))).toBe("answered");
    }
  });

  it("writes nothing into the next transaction in its place", async () => {
    const { proxy, ...connection } = await pool({ ...short, idle: 5000, idleTransaction: 5000 });
    await sql`create table rows_of (owner text)`;
    const insert = (tx: Db, owner: string) =>
      tx.execute(query`insert into rows_of values (${owner})`);
    const [resume, seen] = [later<void>(), later<string>()];
    const lost = lose({ ...connection, proxy }, async (tx) => {
      await resume.promise;
      seen.resolve(await outcome(insert(tx, "lost")));
    });
    expect(await lost).toBe("unreachable");
    const other = connection.db.transaction(async (tx) => {
      await insert(tx, "other");
      resume.resolve();
      expect(await seen.promise).toBe("unreachable");
      tx.rollback();
    });
    await expect(other).rejects.toThrow("Rollback");
    expect([...(await sql`select owner from rows_of`)]).toEqual([]);
  });

  it("would write into the next one with the unwrapped driver", async () => {
    const { proxy, ...connection } = await pool();
    await sql`create table rows_of_driver (owner text)`;
    const insert = (tx: Db, owner: string) =>
      tx.execute(query`insert into rows_of_driver values (${owner})`);
    const [resume, seen] = [later<void>(), later<unknown[]>()];
    const lost = lose({ ...connection, proxy }, async (tx) => {
      await resume.promise;
      await insert(tx, "lost");
      seen.resolve(await tx.execute(query`select owner from rows_of_driver order by owner`));
      await new Promise(() => {}); // now it would commit, including the other's writes
    });
    expect(await lost).toBe("unreachable");
    await connection.db.transaction(async (tx) => {
      await insert(tx, "other");
      resume.resolve();
      // Uncommitted rows of the other transaction: the lost one runs inside it.
      expect([...(await seen.promise)]).toEqual([{ owner: "lost" }, { owner: "other" }]);
    });
  });
});

describe("a server that neither answers nor closes connections", () => {
  it("fails running and waiting statements; later ones get a new connection", async () => {
    const { proxy, ...connection } = await pool(short);
    proxy.block();
    const waiting = [
      select(connection),
      connection.db.transaction((tx) => tx.execute(query`select 1`)),
      ...Array.from({ length: 200 }, () => select(connection)),
    ].map(outcome);
    expect(new Set(await Promise.all(waiting))).toEqual(new Set(["unreachable"]));
    // As after a failover from a machine without power: old connections never answer, new ones do.
    proxy.forget();
    await expect.poll(() => outcome(select(connection)), patient).toBe("answered");
  });

  it("fails a transaction that has begun", async () => {
    const { proxy, ...connection } = await pool(short);
    const begun = connection.db.transaction(async (tx) => {
      await tx.execute(query`select 1`);
      proxy.block();
      await tx.execute(query`select 1`);
    });
    expect(await outcome(begun)).toBe("unreachable");
  });

  it("would be waited for forever without limits", async () => {
    const { proxy, ...connection } = await pool();
    proxy.block();
    let settled = false;
    void outcome(select(connection)).then(() => {
      settled = true;
    });
    const limited = await pool(short);
    limited.proxy.block();
    expect(await outcome(select(limited))).toBe("unreachable");
    limited.proxy.forget();
    await expect.poll(() => outcome(select(limited)), patient).toBe("answered");
    expect(settled).toBe(false);
  });
});

it("a transaction changes nothing if its caller got an error before it began", async () => {
  const { db } = await pool(short);
  await sql`create table marks (mark text)`;
  const mark = (text: string) =>
    db.transaction((tx) => tx.execute(query`insert into marks values (${text})`));
  const first = db.transaction(async (tx) => {
    await tx.execute(query`select pg_sleep(0.25)`);
    await tx.execute(query`select pg_sleep(0.25)`);
    await tx.execute(query`select pg_sleep(0.25)`);
  });
  expect(await outcome(mark("late"))).toBe("unreachable");
  expect(await outcome(first)).toBe("answered");
  expect(await outcome(mark("in time"))).toBe("answered");
  expect([...(await sql`select mark from marks`)]).toEqual([{ mark: "in time" }]);
});

it("Postgres ends a statement that waits for a lock, and a transaction that idles", async () => {
  const { db } = await pool(short);
  const lock = await sql.reserve();
  await lock`begin`;
  await lock`lock table users in access exclusive mode`;
  expect(await outcome(db.execute(query`select from users`))).toBe("unreachable");
  await lock`rollback`;
  lock.release();
  const idle = db.transaction(async (tx) => {
    await tx.execute(query`lock table users in access exclusive mode`);
    await sql`select from users`; // waits for this transaction to end
  });
  expect(await outcome(idle)).toBe("unreachable");
});

it("a proxy that closes each new connection is an error, and is not retried forever", async () => {
  const { proxy, ...connection } = await pool(short);
  proxy.refuse();
  expect(await outcome(select(connection))).toBe("unreachable");
  expect(await outcome(select(connection))).toBe("unreachable");
  proxy.mend();
  expect(await outcome(select(connection))).toBe("answered");
});

it("the limits keep their order, and a pooler gets no parameters", async () => {
  const { statement, answer, silence, idle, idleTransaction } = requestLimits;
  expect(statement).toBeLessThan(answer);
  expect(Math.max(idle, idleTransaction) + statement).toBeLessThan(silence);
  const setting = async (url: string) => {
    const { db, sql } = connect(url, { max: 1, limits: requestLimits });
    const [row] = await db.execute(query`select current_setting('statement_timeout') as limit`);
    await sql.end();
    return row?.limit;
  };
  expect(await setting(databaseUrl)).toBe("10s");
  expect(await setting(`${databaseUrl}?pgbouncer=true`)).toBe("0");
});
