import { afterAll, beforeAll, expect, it } from "vitest";
import { type Connection, connect } from "@/lib/db/client";
import { migrate } from "@/lib/db/migrate";
import { type App, startApp } from "@/tests/support/app";
import { createPostgres, type OwnPostgres } from "@/tests/support/own-postgres";
import { startTcpProxy, type TcpProxy } from "@/tests/support/tcp-proxy";
import { kept, underLoad } from "./load";

/* One app, started once, recovers from each of these faults by itself. */

let postgres: OwnPostgres;
let proxy: TcpProxy;
let app: App;
let connection: Connection;

const site = () => ({ app, connection });

beforeAll(async () => {
  postgres = await createPostgres("primary");
  await postgres.start();
  await migrate(postgres.url());
  proxy = await startTcpProxy(postgres.url());
  connection = connect(postgres.url(), { max: 4 });
  // Enough connections for each request to have its own.
  app = await startApp(proxy.url, { env: { DATABASE_POOL_MAX: "40" } });
});

afterAll(async () => {
  await app?.stop();
  proxy?.stop();
  await connection?.sql.end({ timeout: 1 });
  await postgres?.destroy();
});

it("stopped, and started again", async () => {
  const row = await underLoad("Postgres stopped", site(), async (load) => {
    await postgres.stop();
    await load.each("refused", 2);
    await postgres.start();
  });
  expect(row).toMatchObject(kept);
});

it("killed, and started again", async () => {
  const row = await underLoad("Postgres killed", site(), async (load) => {
    await postgres.kill();
    await load.each("refused", 2);
    await postgres.start();
  });
  expect(row).toMatchObject(kept);
});

it("paused: it answers nothing and closes nothing", async () => {
  const row = await underLoad("Postgres paused", site(), async (load) => {
    postgres.pause();
    await load.each("refused", 1);
    postgres.resume();
  });
  expect(row).toMatchObject(kept);
});

it("one connection at a time terminated: each fails at most the request that was on it", async () => {
  let terminated = 0;
  const row = await underLoad("connections terminated", site(), async (load) => {
    for (let round = 0; round < 20; round++) {
      const rows = await connection.sql`
        select pg_terminate_backend(pid) from pg_stat_activity
        where backend_type = 'client backend' and application_name = 'latchkey' and pid <> pg_backend_pid()
          and query not like '%pg_terminate_backend%' and query not like 'delete from rate_limits%'
        order by state_change desc limit 1`;
      terminated += rows.length;
      await load.each("well", 1);
    }
  });
  expect(row).toMatchObject(kept);
  const refused = Object.values(row.refused).reduce((sum, count) => sum + count, 0);
  expect(terminated).toBe(20);
  expect(refused).toBeLessThanOrEqual(terminated);
});

it("the TCP connections cut", async () => {
  const row = await underLoad("TCP connections cut", site(), async (load) => {
    for (let round = 0; round < 10; round++) {
      proxy.cut();
      proxy.mend();
      await load.each("well", 1);
    }
  });
  expect(row).toMatchObject(kept);
});

it("the network drops what is sent on open connections, and takes new ones", async () => {
  const row = await underLoad("packets of open connections dropped", site(), async () => {
    proxy.block();
    proxy.forget();
  });
  expect(row).toMatchObject(kept);
});
