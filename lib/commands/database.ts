/* Chooses a command's database: the configured one, else this checkout's embedded one. */
import nextEnv from "@next/env";
import { type Connection, connect } from "@/lib/db/client";
import { startEmbedded } from "@/lib/dev/postgres/server";
import { isProduction, readVariable, setEnv } from "@/lib/env";

export type Database = {
  /** The unpooled one if both kinds are set, as migrations need. */
  url: string;
  embedded: boolean;
  stop(): Promise<void>;
};

/**
 * Reads .env files as Next does. Call it before anything else reads a variable. A command without
 * NODE_ENV was typed in a checkout, and counts as development.
 */
export function readEnvFiles(): void {
  if (!readVariable("NODE_ENV")) setEnv({ NODE_ENV: "development" });
  nextEnv.loadEnvConfig(process.cwd(), !inProduction());
}

export function inProduction(): boolean {
  return isProduction(readVariable("NODE_ENV"));
}

export function refuseInProduction(why: string): void {
  if (inProduction()) throw new Error(`Refused in production: ${why}`);
}

/** Throws if APP_URL is https: others can open that site, and demo users are for this machine. */
export function refuseDemoUsersInPublic(): void {
  const appUrl = readVariable("APP_URL");
  if (appUrl && /^https:/i.test(appUrl)) {
    throw new Error(
      `APP_URL is ${appUrl}, a site that others can open, and demo users have published passwords. Unset APP_URL to work on a database on this machine.`,
    );
  }
}

/** Throws unless `--yes` was typed. `does`: what the command will do, up to "the database". */
export function requireConsent(url: string, does: string, command: string): void {
  if (process.argv.includes("--yes")) return;
  throw new Error(
    `This ${does} ${location(url)}, the database that DATABASE_URL names. If you mean it: \`npm run ${command} -- --yes\`.`,
  );
}

/** Returns the URL in the environment, the unpooled one if both kinds are set. */
export function configuredUrl(): string | undefined {
  return readVariable("DATABASE_DIRECT_URL") ?? readVariable("DATABASE_URL");
}

/** Opens the database; the caller must stop it. Throws a readable error if it is unreachable. */
export async function openDatabase(): Promise<Database> {
  const url = configuredUrl();
  if (!url) {
    if (inProduction()) {
      throw new Error("DATABASE_URL is not set, and there is no embedded database in production.");
    }
    return { ...(await startEmbedded({ name: "dev" })), embedded: true };
  }
  await checkReachable(url);
  return { url, embedded: false, stop: async () => {} };
}

/** Opens the database, runs `work` on it, and always stops it afterwards. */
export async function withDatabase(work: (database: Database) => Promise<void>): Promise<void> {
  const database = await openDatabase();
  try {
    await work(database);
  } finally {
    await database.stop();
  }
}

/**
 * Like `withDatabase`, with a connection, for commands that need the tables. Throws a readable
 * error if there are none.
 */
export async function withTables(
  work: (connection: Connection, url: string) => Promise<void>,
): Promise<void> {
  await withDatabase(async ({ url }) => {
    const connection = connect(url, { max: 1 });
    try {
      const [found] = await connection.sql`select to_regclass('users') is not null as migrated`;
      if (!found?.migrated)
        throw new Error(`There are no tables in ${location(url)} yet. Run \`npm run db:migrate\`.`);
      await work(connection, url);
    } finally {
      await connection.sql.end();
    }
  });
}

/** Returns where a database is, for messages, without the password that is part of its URL. */
export function location(url: string): string {
  const { hostname, port, pathname } = new URL(url);
  return `${hostname}${port && `:${port}`}${pathname}`;
}

async function checkReachable(url: string): Promise<void> {
  const variable = readVariable("DATABASE_DIRECT_URL") ? "DATABASE_DIRECT_URL" : "DATABASE_URL";
  if (!URL.canParse(url)) {
    throw new Error(`${variable} must look like postgres://user:password@host:5432/database.`);
  }
  const { sql } = connect(url, { max: 1 });
  try {
    await sql`select 1`;
  } catch (error) {
    throw new Error(
      `The database in ${variable} (${location(url)}) does not answer: ${reason(error)}. Start it, correct the variable, or unset it to use the embedded database.`,
    );
  } finally {
    await sql.end({ timeout: 1 });
  }
}

/**
 * Returns an error's text. A host with several IP addresses fails with an AggregateError, whose own
 * message is empty.
 */
function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.message || ("code" in error ? String(error.code) : error.name);
}
