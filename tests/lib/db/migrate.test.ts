import { cp, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { migrate as applyMigrations } from "drizzle-orm/postgres-js/migrator";
import { describe, expect, inject, it } from "vitest";
import { connect } from "@/lib/db/client";
import { migrate } from "@/lib/db/migrate";
import { times } from "@/tests/support/races";

const { url: server, template } = inject("postgres");

/** Creates an empty database for the duration of `use`. */
async function withEmptyDatabase(use: (url: string) => Promise<void>): Promise<void> {
  const name = template.replace(/template$/, "empty");
  const { sql } = connect(server, { max: 1 });
  await sql.unsafe(`drop database if exists ${name} with (force)`);
  await sql.unsafe(`create database ${name}`);
  try {
    await use(Object.assign(new URL(server), { pathname: `/${name}` }).href);
  } finally {
    await sql.unsafe(`drop database ${name} with (force)`);
    await sql.end();
  }
}

async function migrationCount(): Promise<number> {
  return (await readdir("drizzle")).filter((file) => file.endsWith(".sql")).length;
}

async function tableCount(url: string): Promise<number> {
  const { sql } = connect(url, { max: 1 });
  const rows = await sql`select from information_schema.tables where table_schema = 'public'`;
  await sql.end();
  return rows.length;
}

describe("migrate", () => {
  it("applies each new migration once", async () => {
    await withEmptyDatabase(async (url) => {
      expect(await migrate(url)).toBe(await migrationCount());
      const tables = await tableCount(url);
      expect(tables).toBeGreaterThan(0);
      expect(await migrate(url)).toBe(0);
      expect(await tableCount(url)).toBe(tables);
    });
  });

  it("creates no user, no session and no key: there is no default account", async () => {
    await withEmptyDatabase(async (url) => {
      await migrate(url);
      const { sql } = connect(url, { max: 1 });
      const tables = await sql<{ name: string }[]>`
        select table_name as name from information_schema.tables where table_schema = 'public'`;
      for (const { name } of tables)
        expect([name, await sql`select from ${sql(name)}`]).toEqual([name, []]);
      await sql.end();
    });
  });

  it("can be called by thirty instances at once: one migrates, the others wait", async () => {
    await withEmptyDatabase(async (url) => {
      const applied = await Promise.all(times(30, () => migrate(url)));
      expect(applied.filter((count) => count > 0)).toEqual([await migrationCount()]);
      expect(await tableCount(url)).toBeGreaterThan(0);
    });
  });

  // Proves that the test above can fail. A lock on the journal holds all of them until the last one
  // asks, so all see an empty journal.
  it("would fail in concurrent instances without its lock", async () => {
    await withEmptyDatabase(async (url) => {
      const { sql } = connect(url, { max: 1 });
      await sql`create schema drizzle`;
      await sql`create table drizzle.__drizzle_migrations
        (id serial primary key, hash text not null, created_at bigint)`;
      const racers = times(10, () => connect(url, { max: 1 }));
      const race = await sql.begin(async (tx) => {
        await tx`lock table drizzle.__drizzle_migrations`;
        const answers = Promise.allSettled(
          racers.map(({ db }) =>
            // Drizzle's types require the concrete driver; ours is the one that connect() returns.
            applyMigrations(db as Parameters<typeof applyMigrations>[0], {
              migrationsFolder: "drizzle",
            }),
          ),
        );
        await untilWaiting(url, racers.length);
        return { answers };
      });
      const failed = (await race.answers).filter(({ status }) => status === "rejected");
      expect(failed.length).toBeGreaterThan(0);
      await Promise.all([sql, ...racers.map((racer) => racer.sql)].map((each) => each.end()));
    });
  });

  // Without a limit the migration would wait for the transaction, and every read of the table would
  // wait as long behind it.
  it("gives up waiting for a locked table, changes nothing, and can be run again", async () => {
    await withEmptyDatabase(async (url) => {
      await migrate(url);
      const { sql } = connect(url, { max: 2 });
      await withMigration("alter table sessions add column note text", async () => {
        await sql.begin(async (backup) => {
          await backup`select from sessions`;
          const refused = expect(migrate(url, 500)).rejects.toThrow("run the command again");
          await untilWaiting(url, 1);
          await sql`select from sessions`; // waits behind the migration, until that gives up
          await refused;
        });
        await expect(sql`select note from sessions`).rejects.toThrow("does not exist");
        expect(await migrate(url)).toBe(1);
        await sql`select note from sessions`;
      });
      await sql.end();
    });
  });
});

/** Runs the work in a copy of drizzle/ with one more migration after the last. */
async function withMigration(statement: string, work: () => Promise<void>): Promise<void> {
  const directory = await mkdtemp(path.join(os.tmpdir(), "latchkey-migrations-"));
  const home = process.cwd();
  try {
    await cp("drizzle", path.join(directory, "drizzle"), { recursive: true });
    process.chdir(directory);
    const journal = JSON.parse(await readFile("drizzle/meta/_journal.json", "utf8"));
    const last = journal.entries.at(-1);
    journal.entries.push({ ...last, idx: last.idx + 1, when: last.when + 1, tag: "9999_next" });
    await writeFile("drizzle/meta/_journal.json", JSON.stringify(journal));
    await writeFile("drizzle/9999_next.sql", statement);
    await work();
  } finally {
    process.chdir(home);
    await rm(directory, { recursive: true });
  }
}

async function untilWaiting(url: string, count: number): Promise<void> {
  const { sql } = connect(url, { max: 1 });
  for (let waiting = 0; waiting < count; ) {
    const rows = await sql`
      select from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock'`;
    waiting = rows.length;
  }
  await sql.end();
}
