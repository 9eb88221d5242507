import { afterAll, beforeAll, expect, it } from "vitest";
import { type Connection, connect } from "@/lib/db/client";
import { type App, startApp } from "@/tests/support/app";
import { missingPrograms, startPooler } from "@/tests/support/instances";
import { cloneTemplate, startTestServer, type TestServer } from "@/tests/support/postgres";
import { kept, underLoad } from "./load";
import { report } from "./report";

let server: TestServer;
let databaseUrl: string;
let pooler: Awaited<ReturnType<typeof startPooler>> | undefined;
let app: App | undefined;
let connection: Connection | undefined;

beforeAll(async () => {
  if (missingPrograms().includes("pgbouncer")) return;
  server = await startTestServer();
  databaseUrl = await cloneTemplate(server.url, server.template, "pgbouncer");
  connection = connect(databaseUrl, { max: 4 });
  pooler = await startPooler(databaseUrl);
  app = await startApp(pooler.url, { env: { DATABASE_DIRECT_URL: databaseUrl } });
});

afterAll(async () => {
  await app?.stop();
  await connection?.sql.end({ timeout: 1 });
  await pooler?.stop();
  await server?.stop();
});

it("statements that wait for a lock behind PgBouncer do not pile up in Postgres", async ({
  skip,
}) => {
  if (!app || !connection) return skip("The package pgbouncer is missing.");
  const { sql } = connection;
  const clients = 6;
  const row = await underLoad(
    "table locked",
    { app, connection },
    (load) =>
      sql.begin(async (lock) => {
        await lock`lock table sessions in access exclusive mode`;
        await load.each("refused", 2);
        // Without `connect_query`, statements that the server has given up would still be waiting.
        const [row] = await sql`
        select count(*)::int as waiting from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock'`;
        expect(row?.waiting).toBeLessThanOrEqual(clients);
      }),
    { clients },
  );
  expect(row).toMatchObject(kept);
});

it("statements with and without parameters on one connection: each gets its answer", async ({
  skip,
}) => {
  if (!pooler) return skip("The package pgbouncer is missing.");
  // Without `mendQueues` in lib/db/client.ts, the second statement waits until the test times out.
  const { sql } = connect(pooler.url, { max: 1 });
  const answers = await Promise.all(
    Array.from({ length: 100 }, async (_, n) => {
      const both = [sql.unsafe("select 1"), sql.unsafe("select $1::int as n", [n])];
      return (await Promise.all(both))[1]?.[0]?.n;
    }),
  );
  expect(answers).toEqual(answers.map((_, n) => n));
  await sql.end();
});

it("PgBouncer killed, and started again", async ({ skip }) => {
  if (!app || !connection || !pooler) {
    report({ fault: "PgBouncer restarted", missing: "the package pgbouncer" });
    return skip("The package pgbouncer is missing.");
  }
  const stopped = pooler;
  const row = await underLoad("PgBouncer restarted", { app, connection }, async (load) => {
    await stopped.stop();
    await load.each("refused", 2);
    pooler = await startPooler(databaseUrl, stopped.port);
  });
  expect(row).toMatchObject(kept);
});
