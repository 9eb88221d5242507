import { rm, statfs, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterAll, expect, it } from "vitest";
import { connect } from "@/lib/db/client";
import { migrate } from "@/lib/db/migrate";
import { startApp } from "@/tests/support/app";
import { createPostgres, onDisk, whyNoDisk } from "@/tests/support/own-postgres";
import { kept, underLoad } from "./load";
import { report } from "./report";

const cleanUp: (() => Promise<unknown>)[] = [];

afterAll(async () => {
  for (const step of cleanUp.reverse()) await step();
});

it("the disk of Postgres full, and room again", async ({ skip }) => {
  const missing = whyNoDisk();
  if (missing) {
    report({ fault: "disk full", missing });
    return skip(missing);
  }
  const postgres = await createPostgres("disk");
  cleanUp.push(postgres.destroy);
  await postgres.start();
  await migrate(postgres.url());
  await postgres.stop();
  const { directory, unmount } = await onDisk("disk", 160);
  cleanUp.push(unmount, () => postgres.stop("immediate"));
  await postgres.start();
  const connection = connect(postgres.url(), { max: 4 });
  const app = await startApp(postgres.url());
  cleanUp.push(() => connection.sql.end({ timeout: 1 }), app.stop);

  const filler = path.join(directory, "filler");
  let code = "";
  const row = await underLoad("disk full", { app, connection }, async (load) => {
    const { bavail, bsize } = await statfs(directory);
    await writeFile(filler, Buffer.alloc(bavail * bsize)).catch(() => {}); // until no byte is free
    // The next file that Postgres extends fails; pages with free space still take rows.
    for (let size = 1; code === "" && size <= 64; size *= 2)
      await connection.sql`
        insert into notes (team_id, project_id, body, author_id)
        select team_id, project_id, repeat(md5(random()::text), 30), author_id
        from notes, generate_series(1, ${size * 50})`.catch((error) => {
        code = error.code;
      });
    await load.each("refused", 2);
    await rm(filler);
    // A full disk may stop Postgres, because it cannot write its log.
    await postgres.stop("immediate");
    await postgres.start();
  });
  expect(code).toMatch(/^53100$|^57P0|CONNECTION/);
  expect(row).toMatchObject(kept);
});
