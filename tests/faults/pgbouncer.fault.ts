import { afterAll, beforeAll, expect, it } from "vitest";
import { type Connection, connect } from "@/lib/db/client";
import { type App, startApp } from "@/tests/support/app";
import { createPgBouncer, hasPgBouncer, type PgBouncer } from "@/tests/support/pgbouncer";
import { cloneTemplate, startTestServer, type TestServer } from "@/tests/support/postgres";
import { kept, underLoad } from "./load";
import { report } from "./report";

let server: TestServer;
let bouncer: PgBouncer | undefined;
let app: App | undefined;
let connection: Connection | undefined;

beforeAll(async () => {
  if (!hasPgBouncer()) return;
  server = await startTestServer();
  const url = await cloneTemplate(server.url, server.template, "pgbouncer");
  connection = connect(url, { max: 4 });
  bouncer = await createPgBouncer(url);
  await bouncer.start();
  app = await startApp(bouncer.url, { env: { DATABASE_DIRECT_URL: url } });
});

afterAll(async () => {
  await app?.stop();
  await connection?.sql.end({ timeout: 1 });
  await bouncer?.destroy();
  await server?.stop();
});

it("PgBouncer killed, and started again", async ({ skip }) => {
  if (!app || !connection || !bouncer) {
    report({ fault: "PgBouncer restarted", missing: "the package pgbouncer" });
    return skip("The package pgbouncer is missing.");
  }
  const pooler = bouncer;
  const row = await underLoad("PgBouncer restarted", { app, connection }, async (load) => {
    await pooler.stop();
    await load.each("refused", 2);
    await pooler.start();
  });
  expect(row).toMatchObject(kept);
});
