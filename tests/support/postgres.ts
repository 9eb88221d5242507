import { connect } from "@/lib/db/client";
import { migrate } from "@/lib/db/migrate";
import { startEmbedded } from "@/lib/dev/postgres/server";
import { readVariable } from "@/lib/env";

/*
 * One Postgres for a whole run: the one that DATABASE_URL names, else the embedded one. One
 * database is migrated once, as a template, and each test file clones it in a fifth of a second. A
 * database's name contains the process id of its run, so that concurrent runs do not share one, and
 * a later run can recognize and drop those of a killed run.
 */

export type TestServer = {
  /** Clones the template. The caller may drop the database; `stop` drops all that remain. */
  createDatabase(name: string): Promise<string>;
  /** For other processes of this run (see `cloneTemplate`). */
  url: string;
  template: string;
  stop(): Promise<void>;
};

const PREFIX = "latchkey_test";

export async function startTestServer(): Promise<TestServer> {
  const named = readVariable("DATABASE_URL");
  const server = named
    ? { url: named, stop: async () => {} }
    : await startEmbedded({ name: "test", database: "postgres" });
  const run = `${PREFIX}_${process.pid}`;
  const template = `${run}_template`;
  const { sql } = connect(server.url, { max: 1 });
  await dropAbandoned();
  await sql.unsafe(`create database ${template}`);
  await migrate(databaseUrl(server.url, template));

  return {
    url: server.url,
    template,
    createDatabase: (name) => cloneTemplate(server.url, template, name),
    async stop() {
      await drop((pid) => pid === process.pid);
      await sql.end();
      await server.stop();
    },
  };

  async function dropAbandoned(): Promise<void> {
    await drop((pid) => !isAlive(pid));
  }

  async function drop(unwanted: (pid: number) => boolean): Promise<void> {
    const rows = await sql<{ datname: string }[]>`
      select datname from pg_database where datname like ${`${PREFIX}%`}`;
    for (const { datname } of rows) {
      const pid = Number(datname.split("_")[2]);
      if (unwanted(pid)) await sql.unsafe(`drop database if exists "${datname}" with (force)`);
    }
  }
}

/** Creates a fresh database of this run, for a worker process. Replaces one of the same name. */
export async function cloneTemplate(url: string, template: string, name: string): Promise<string> {
  const database = template.replace(/template$/, name);
  const { sql } = connect(url, { max: 1 });
  await sql.unsafe(`drop database if exists ${database} with (force)`);
  await sql.unsafe(`create database ${database} template ${template}`);
  await sql.end();
  return databaseUrl(url, database);
}

function databaseUrl(url: string, name: string): string {
  return Object.assign(new URL(url), { pathname: `/${name}` }).href;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

declare module "vitest" {
  export interface ProvidedContext {
    postgres: { url: string; template: string };
  }
}

/** Vitest's global setup. */
export default async function setup(project: {
  provide(key: "postgres", value: { url: string; template: string }): void;
}): Promise<() => Promise<void>> {
  const server = await startTestServer();
  project.provide("postgres", { url: server.url, template: server.template });
  return () => server.stop();
}
