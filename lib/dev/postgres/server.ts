/*
 * The Postgres that comes with `npm install`, for development and tests. It listens on 127.0.0.1
 * only, keeps its data in .data/ between runs, is shared by everybody who starts it from the same
 * checkout, and stops with the last of them, however that one ends (see supervisor.mjs).
 *
 * Log-ins need a random password that lies beside the data. Trust would be simpler, but a superuser
 * of Postgres can run programs: any other account on the machine could have become this one.
 */
import { execFile, spawn, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import {
  chmod,
  chown,
  mkdir,
  readdir,
  readFile,
  readlink,
  realpath,
  rename,
  rm,
  writeFile,
} from "node:fs/promises";
import { connect, createServer, type Socket } from "node:net";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import postgres from "postgres";
import { childEnv } from "@/lib/env";
import { seconds } from "@/lib/time";
import { findPlace, type Place } from "./location";

const SUPERVISOR = fileURLToPath(new URL("./supervisor.mjs", import.meta.url));
const DEV_PORT = 54329;
const run = promisify(execFile);

const FLAGS = {
  listen_addresses: "127.0.0.1",
  unix_socket_directories: "", // their paths are limited to about 100 characters
  max_connections: "300",
  timezone: "UTC",
  log_timezone: "UTC",
};
// The data of a test run may be lost with the machine; it is twice as fast for it.
const TEST_FLAGS = { ...FLAGS, fsync: "off", synchronous_commit: "off", full_page_writes: "off" };

export type EmbeddedOptions = {
  name: "dev" | "test";
  /** Created if it is missing. */
  database?: string;
  /** Another directory than this checkout to keep `.data` in. */
  checkout?: string;
};

export type Embedded = {
  url: string;
  /** Gives the server back; resolves when it is down, or at once while others still use it. */
  stop(): Promise<void>;
  /** Resolves when the server is gone, asked or not. */
  stopped: Promise<void>;
};

type Lease = { socket: Socket; port: number; closed: Promise<void> };

/**
 * Starts the server or joins the one that already runs. Throws sentences that say what to do. A
 * process that forgets `stop()` is not kept alive by it, and the server stops when it exits.
 */
export async function startEmbedded(options: EmbeddedOptions): Promise<Embedded> {
  const place = await findPlace(options.name, options.checkout);
  await createCluster(place);
  const lease = await acquire(place, options.name);
  const url = await createDatabase(place, lease, options.database ?? "latchkey");
  return { url, stop: () => release(lease), stopped: lease.closed };
}

/** Deletes the server's data for good. False, and nothing deleted, while somebody uses it. */
export async function deleteEmbedded(options: EmbeddedOptions): Promise<boolean> {
  const place = await findPlace(options.name, options.checkout);
  const lease = (await join(place)) ?? (await recover(place));
  if (lease) {
    await release(lease);
    return false;
  }
  await rm(place.home, { recursive: true, force: true });
  return true;
}

/** Initialised beside its final place and renamed: data that can be seen is complete. */
async function createCluster(place: Place): Promise<void> {
  const { home, major } = place;
  const made = await clusterVersion(home);
  if (made === major) return;
  if (made) {
    throw new Error(
      `The data in ${home} was made by PostgreSQL ${made}, and PostgreSQL ${major} is installed. Run \`npm run db:reset\` to start afresh; it deletes that data.`,
    );
  }
  await removeInterrupted(home);
  const fresh = `${home}.new-${process.pid}-${randomBytes(4).toString("hex")}`;
  try {
    await initdb(place, fresh);
    await rename(fresh, home).catch(async (error) => {
      if (await clusterVersion(home)) return; // another start was faster
      if (!existsSync(home)) throw error;
      await rm(home, { recursive: true }); // somebody deleted only a part of it
      await rename(fresh, home);
    });
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
}

async function clusterVersion(home: string): Promise<string | undefined> {
  const file = path.join(home, "data", "PG_VERSION");
  return (await readFile(file, "utf8").catch(() => undefined))?.trim();
}

async function removeInterrupted(home: string): Promise<void> {
  const prefix = `${path.basename(home)}.new-`;
  for (const entry of await readdir(path.dirname(home))) {
    if (!entry.startsWith(prefix) || isAlive(Number.parseInt(entry.slice(prefix.length), 10)))
      continue;
    await rm(path.join(path.dirname(home), entry), { recursive: true, force: true });
  }
}

async function initdb({ bin, user }: Place, home: string): Promise<void> {
  const data = path.join(home, "data");
  const passwordFile = path.join(home, "password");
  await mkdir(data, { recursive: true, mode: 0o700 });
  await writeFile(passwordFile, randomBytes(24).toString("base64url"), { mode: 0o600 });
  // As root, the server's user must get through to its data but owns nothing beside it: what root
  // writes there (the log, the lease) cannot be redirected.
  await chmod(home, user.uid === undefined ? 0o700 : 0o711);
  if (user.uid !== undefined && user.gid !== undefined) {
    for (const own of [data, passwordFile]) await chown(own, user.uid, user.gid);
  }
  const flags = [
    `--pgdata=${data}`,
    `--pwfile=${passwordFile}`,
    "--username=postgres",
    "--auth=scram-sha-256",
    // Built into Postgres, so that sorting and lower() are the same on every machine.
    "--encoding=UTF8",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--locale=C",
    "--no-instructions",
  ];
  await run(bin.initdb, flags, { ...user, cwd: home, env: serverEnv() }).catch((error) => {
    throw new Error(`PostgreSQL could not create its data in ${home}.\n\n${error.stderr.trim()}`);
  });
}

async function acquire(place: Place, name: EmbeddedOptions["name"]): Promise<Lease> {
  for (const wanted of [name === "dev" ? DEV_PORT : 0, 0, 0]) {
    const lease =
      (await join(place)) ?? (await recover(place)) ?? (await launch(place, name, wanted));
    if (lease) return lease;
    // Its port was taken in the last moment, or another start was faster and can now be joined.
  }
  throw new Error(
    `PostgreSQL did not start. The end of ${logFile(place)}:\n\n${await logTail(place)}`,
  );
}

/** Holds on to the running server; undefined if there is none, or none that is ours. */
async function join(place: Place): Promise<Lease | undefined> {
  const file = await readFile(leaseFile(place), "utf8").catch(() => undefined);
  if (!file) return undefined;
  const socket = connect({ host: "127.0.0.1", port: JSON.parse(file).port, allowHalfOpen: true });
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  const hello = await firstLine(socket);
  // Whatever listens there now says nothing, or something else, if the supervisor is gone.
  if (hello?.data !== dataDirectory(place)) {
    socket.destroy();
    return undefined;
  }
  socket.unref();
  return { socket, port: hello.port, closed };
}

async function firstLine(socket: Socket): Promise<{ data: string; port: number } | undefined> {
  const line = new Promise<string>((resolve) => {
    socket.once("data", (chunk) => resolve(chunk.toString()));
    socket.once("error", () => resolve(""));
    socket.once("end", () => resolve(""));
  });
  socket.on("error", () => {}); // a server that dies resets the connection
  try {
    return JSON.parse(await Promise.race([line, delay(seconds(2), "", { ref: false })]));
  } catch {
    return undefined;
  }
}

async function release({ socket, closed }: Lease): Promise<void> {
  socket.ref();
  socket.end();
  await closed;
}

/**
 * Deals with a postmaster.pid that nobody answers for. A dead server's is left to Postgres, which
 * recovers by itself. Returns a lease if it was only somebody else's start in progress.
 */
async function recover(place: Place): Promise<Lease | undefined> {
  const data = dataDirectory(place);
  const pid = await serverPid(data);
  if (pid === undefined || !isAlive(pid)) return undefined;
  const ours = await servesFrom(pid, data);
  if (ours === undefined) return undefined;
  if (!ours) {
    // After a reboot the number may be another program's; Postgres would take that for a server.
    if ((await serverPid(data)) === pid) await rm(path.join(data, "postmaster.pid"));
    return undefined;
  }
  // Being started or stopped by somebody else takes less than this.
  for (const patience = Date.now() + seconds(3); Date.now() < patience; await delay(50)) {
    const lease = await join(place);
    if (lease || !isAlive(pid)) return lease;
  }
  // An orphan, its supervisor killed.
  await run(place.bin.pgCtl, ["stop", "-D", data, "-m", "fast", "-w"], {
    ...place.user,
    cwd: place.home,
    env: serverEnv(),
  }).catch((error) => {
    throw new Error(
      `A PostgreSQL left over from an earlier run (pid ${pid}) does not stop. Stop it, then try again.\n\n${error.stderr.trim()}`,
    );
  });
  return undefined;
}

async function serverPid(data: string): Promise<number | undefined> {
  const file = await readFile(path.join(data, "postmaster.pid"), "utf8").catch(() => undefined);
  return Number(file?.split("\n")[0]) || undefined;
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** Whether that process is the server of this data; undefined where it cannot be known. */
async function servesFrom(pid: number, data: string): Promise<boolean | undefined> {
  if (process.platform === "win32") return undefined;
  if (process.platform === "linux") {
    // A server's working directory is its data. Not ours to read means not ours.
    const cwd = await readlink(`/proc/${pid}/cwd`).catch(() => undefined);
    return cwd === (await realpath(data));
  }
  const { stdout } = spawnSync("ps", ["-ww", "-o", "command=", "-p", String(pid)], {
    encoding: "utf8",
  });
  if (stdout.includes(`-D ${data} `)) return true;
  return stdout.includes("postgres") ? undefined : false;
}

async function launch(
  place: Place,
  name: EmbeddedOptions["name"],
  wanted: number,
): Promise<Lease | undefined> {
  const settings = {
    ...place.bin,
    data: dataDirectory(place),
    port: await freePort(wanted),
    user: place.user,
    log: logFile(place),
    leaseFile: leaseFile(place),
    flags: Object.entries(name === "test" ? TEST_FLAGS : FLAGS).flatMap(([key, value]) => [
      "-c",
      `${key}=${value}`,
    ]),
  };
  const supervisor = spawn(process.execPath, [SUPERVISOR, JSON.stringify(settings)], {
    cwd: place.home,
    // A group of its own: Ctrl-C must reach the clients, which then give the server back.
    detached: true,
    windowsHide: true,
    stdio: "ignore",
    env: serverEnv(),
  });
  supervisor.unref();
  while (supervisor.exitCode === null && supervisor.signalCode === null) {
    const lease = await join(place);
    if (lease) return lease;
    await delay(10);
  }
  return undefined;
}

/** The wanted port if nobody listens on it, else any. */
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

/** Waits until the server answers; after a crash it first replays its log. */
async function createDatabase(place: Place, lease: Lease, database: string): Promise<string> {
  const password = await readFile(path.join(place.home, "password"), "utf8");
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
        await release(lease);
        throw new Error(
          `PostgreSQL runs but does not answer (${(error as Error).message}). The end of ${logFile(place)}:\n\n${await logTail(place)}`,
        );
      }
      await delay(20);
    } finally {
      await sql.end();
    }
  }
}

const CANNOT_CONNECT_NOW = "57P03";
// Another start was faster.
const DUPLICATE_DATABASE = "42P04";
const UNIQUE_VIOLATION = "23505";

const dataDirectory = ({ home }: Place): string => path.join(home, "data");
const leaseFile = ({ home }: Place): string => path.join(home, "supervisor.json");
const logFile = ({ home }: Place): string => path.join(home, "server.log");

async function logTail(place: Place): Promise<string> {
  const log = await readFile(logFile(place), "utf8").catch(() => "(it is empty)");
  return log.trimEnd().split("\n").slice(-12).join("\n");
}

/** English messages in UTC whatever the machine's settings, and no debugger in the supervisor. */
function serverEnv(): NodeJS.ProcessEnv {
  return childEnv({ LC_ALL: "C", TZ: "UTC", NODE_OPTIONS: "" });
}
