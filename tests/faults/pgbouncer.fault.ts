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
