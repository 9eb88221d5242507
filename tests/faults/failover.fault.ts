import { afterEach, expect, it } from "vitest";
import { connect } from "@/lib/db/client";
import { migrate } from "@/lib/db/migrate";
import { startApp } from "@/tests/support/app";
import { createPostgres } from "@/tests/support/own-postgres";
import { startTcpProxy } from "@/tests/support/tcp-proxy";
import { kept, underLoad } from "./load";

/*
 * The replica receives nothing from the primary for a while. Then the primary loses power and the
 * replica is promoted. With asynchronous replication, which is Postgres' default, what was written
 * meanwhile is lost.
 */

const cleanUp: (() => unknown)[] = [];

afterEach(async () => {
  for (const step of cleanUp.splice(0).reverse()) await step();
});

async function failOver(replication: "synchronous" | "asynchronous") {
  const primary = await createPostgres("primary");
  cleanUp.push(primary.destroy);
  await primary.start();
  await migrate(primary.url());
  const line = await startTcpProxy(primary.url()); // for replication
  const replica = await primary.createReplica("replica", line);
  cleanUp.push(replica.destroy, line.stop);
  const proxy = await startTcpProxy(primary.url());
  const connection = connect(primary.url(), { max: 4 });
  const promoted = connect(replica.url(), { max: 4 });
  const app = await startApp(proxy.url);
  cleanUp.push(
    () => connection.sql.end({ timeout: 0 }),
    () => promoted.sql.end({ timeout: 0 }),
    proxy.stop,
    app.stop,
  );
  if (replication === "synchronous") {
    await connection.sql`alter system set synchronous_standby_names = '*'`;
    await connection.sql`select pg_reload_conf()`;
    await untilReplicated(connection.sql);
  }

  return underLoad(
    `failover, ${replication} replication`,
    { app, connection },
    async (load) => {
      line.block();
      // Synchronous: writes wait for the replica until they time out.
      if (replication === "synchronous") await load.each("refused", 1);
      else await load.each("well", 10);
      line.cut();
      await primary.kill();
      await replica.promote();
      proxy.lead(replica.url());
    },
    { after: promoted },
  );
}

async function untilReplicated(sql: ReturnType<typeof connect>["sql"]): Promise<void> {
  await expect
    .poll(async () => (await sql`select sync_state from pg_stat_replication`)[0]?.sync_state, {
      timeout: 60_000,
    })
    .toBe("sync");
}

it("with synchronous_standby_names, loses nothing and brings back nothing that ended", async () => {
  expect(await failOver("synchronous")).toMatchObject(kept);
});

it("without synchronous_standby_names, loses what the replica does not have yet, as DEPLOY.md says", async () => {
  const row = await failOver("asynchronous");
  expect(row.hung).toBe(0);
  expect((row.lost ?? 0) + (row.cameBack ?? 0)).toBeGreaterThan(0);
});
