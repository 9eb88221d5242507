/*
 * Starts the Postgres that comes with `npm install`, for development and tests. Security: it
 * listens on 127.0.0.1 only, and logging in requires the password beside its data. It keeps its
 * data in .data/ between runs, is shared by all processes that start it from the same checkout, and
 * stops with the last of them, however that one ends. Change it together with supervisor.mjs.
 */
import { spawn } from "node:child_process";
import { readFile, rm } from "node:fs/promises";
import { createServer } from "node:net";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import postgres from "postgres";
import { createCluster } from "./cluster";
import { joinServer, type Lease, releaseLease } from "./lease";
import {
  dataDirectory,
  type Location,
  leaseFile,
  logFile,
  resolveLocation,
  serverEnv,
} from "./location";
import { recoverServer } from "./recovery";

const SUPERVISOR = fileURLToPath(new URL("./supervisor.mjs", import.meta.url));
const DEV_PORT = 54329;

const FLAGS = {
  listen_addresses: "127.0.0.1",
  unix_socket_directories: "", // their paths are limited to about 100 characters
  max_connections: "300",
  timezone: "UTC",
  log_timezone: "UTC",
};
const TEST_FLAGS = {
  ...FLAGS,
  // A test run's data need not survive a crash of the machine; without fsync it is twice as fast.
  ...{ fsync: "off", synchronous_commit: "off", full_page_writes: "off" },
  // Holds the bench's million sessions and their users. The memory is taken from
  // the system as it fills.
  shared_buffers: "1GB",
};

export type EmbeddedOptions = {
  name: "dev" | "test";
  /** Created if missing. */
  database?: string;
  /** The directory that `.data` is kept in, if not this checkout. */
  checkout?: string;
};

export type Embedded = {
  url: string;
  /** Ends this use. Resolves when the server is down, or at once while other processes use it. */
  stop(): Promise<void>;
  /** Resolves when the server is down, whether stopped or crashed. */
  stopped: Promise<void>;
};

/**
 * Starts the server or joins the running one. Its errors say what to do. The server does not keep a
 * process alive that does not call `stop()`, and stops when that process exits.
 */
export async function startEmbedded(options: EmbeddedOptions): Promise<Embedded> {
  const location = await resolveLocation(options.name, options.checkout);
  await createCluster(location);
  const lease = await acquireLease(location, options.name);
  const url = await createDatabase(location, lease, options.database ?? "latchkey");
  return { url, stop: () => releaseLease(lease), stopped: lease.closed };
}

/** Deletes the server's data. While a process uses it, deletes nothing and returns false. */
export async function deleteEmbedded(options: EmbeddedOptions): Promise<boolean> {
  const location = await resolveLocation(options.name, options.checkout);
  const lease = (await joinServer(location)) ?? (await recoverServer(location));
  if (lease) {
    await releaseLease(lease);
    return false;
  }
  await rm(location.home, { recursive: true, force: true });
  return true;
}

async function acquireLease(location: Location, name: EmbeddedOptions["name"]): Promise<Lease> {
  for (const wanted of [name === "dev" ? DEV_PORT : 0, 0, 0]) {
    const lease =
      (await joinServer(location)) ??
      (await recoverServer(location)) ??
      (await launch(location, name, wanted));
    if (lease) return lease;
    // Its port was taken meanwhile, or a concurrent start was faster and can now be joined.
  }
  throw new Error(
    `PostgreSQL did not start. The end of ${logFile(location)}:\n\n${await logTail(location)}`,
  );
}

async function launch(
  location: Location,
  name: EmbeddedOptions["name"],
  wanted: number,
): Promise<Lease | undefined> {
  const settings = {
    ...location.bin,
    data: dataDirectory(location),
    port: await freePort(wanted),
    user: location.user,
    log: logFile(location),
    leaseFile: leaseFile(location),
    flags: Object.entries(name === "test" ? TEST_FLAGS : FLAGS).flatMap(([key, value]) => [
      "-c",
      `${key}=${value}`,
    ]),
  };
  const supervisor = spawn(process.execPath, [SUPERVISOR, JSON.stringify(settings)], {
    cwd: location.home,
    // A separate process group: Ctrl-C must reach only the clients, which then end their leases.
    detached: true,
    windowsHide: true,
    stdio: "ignore",
    env: serverEnv(),
  });
  supervisor.unref();
  while (supervisor.exitCode === null && supervisor.signalCode === null) {
    const lease = await joinServer(location);
    if (lease) return lease;
    await delay(10);
  }
  return undefined;
}

/** Returns the wanted port if it is free, else any free port. */
function freePort(wanted: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", (error) => (wanted ? resolve(freePort(0)) : reject(error)));
    probe.listen(wanted, "127.0.0.1", () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === "object" && address ? address.port : wanted));
    });
  });
}

/** Creates the database once the server answers. After a crash, it first replays its log. */
async function createDatabase(location: Location, lease: Lease, database: string): Promise<string> {
  const password = await readFile(path.join(location.home, "password"), "utf8");
  const url = (name: string) => `postgres://postgres:${password}@127.0.0.1:${lease.port}/${name}`;
  for (;;) {
    const sql = postgres(url("postgres"), { max: 1, connect_timeout: 10, onnotice: () => {} });
    try {
      const [exists] = await sql`select from pg_database where datname = ${database}`;
      if (!exists) await sql`create database ${sql(database)}`;
      return url(database);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === DUPLICATE_DATABASE || code === UNIQUE_VIOLATION) return url(database);
      if (code !== CANNOT_CONNECT_NOW) {
        await releaseLease(lease);
        throw new Error(
          `PostgreSQL runs but does not answer (${(error as Error).message}). The end of ${logFile(location)}:\n\n${await logTail(location)}`,
        );
      }
      await delay(20);
    } finally {
      await sql.end();
    }
  }
}

const CANNOT_CONNECT_NOW = "57P03";
// A concurrent start was faster.
const DUPLICATE_DATABASE = "42P04";
const UNIQUE_VIOLATION = "23505";

async function logTail(location: Location): Promise<string> {
  const log = await readFile(logFile(location), "utf8").catch(() => "(it is empty)");
  return log.trimEnd().split("\n").slice(-12).join("\n");
}
