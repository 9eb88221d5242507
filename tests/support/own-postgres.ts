import { type ChildProcess, execFile, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { cp, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { connect } from "@/lib/db/client";
import { createCluster } from "@/lib/dev/postgres/cluster";
import {
  dataDirectory,
  type Location,
  logFile,
  resolveLocation,
  serverEnv,
} from "@/lib/dev/postgres/location";
import { minutes } from "@/lib/time";
import { freePort } from "./instances";

/*
 * A Postgres for one test, with the binaries of the development database, which the test
 * stops, pauses and copies. It flushes data to disk as in production, because tests check what
 * a crash loses.
 */

export type OwnPostgres = {
  url(database?: string): string;
  start(settings?: Record<string, string>): Promise<void>;
  stop(mode?: "fast" | "immediate"): Promise<void>;
  /** Kills all its processes at once, as when a machine loses power. */
  kill(): Promise<void>;
  /** SIGSTOP: connections stay open but get no response until `resume`. */
  pause(): void;
  resume(): void;
  /**
   * Starts a streaming replica that connects to this server through `line`. The replica begins as a
   * copy of the stopped server's files.
   */
  createReplica(name: string, line: { url: string }): Promise<OwnPostgres>;
  promote(): Promise<void>;
  /** Stops the server and deletes its data. */
  destroy(): Promise<void>;
};

const flags = {
  listen_addresses: "127.0.0.1",
  unix_socket_directories: "",
  max_connections: "100",
  timezone: "UTC",
};

export async function createPostgres(name: string): Promise<OwnPostgres> {
  const location = await resolveLocation(`faults-${name}`);
  await rm(location.home, { recursive: true, force: true });
  await createCluster(location);
  return serverAt(location, await readFile(path.join(location.home, "password"), "utf8"));
}

/** Returns what is missing to mount a disk for `onDisk`, or undefined if nothing is. */
export function whyNoDisk(): string | undefined {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return "Linux, and root";
  const directory = mkdtempSync(path.join(os.tmpdir(), "latchkey-mount-"));
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", directory]);
  if (mounted.status === 0) spawnSync("umount", [directory]);
  rmSync(directory, { recursive: true });
  return mounted.status === 0 ? undefined : "the right to mount a tmpfs (CAP_SYS_ADMIN)";
}

/**
 * Moves the data of a stopped server to a tmpfs of that size. Returns its directory, and a function
 * that unmounts it.
 */
export async function onDisk(
  name: string,
  megabytes: number,
): Promise<{ directory: string; unmount(): Promise<void> }> {
  const { home, user } = await resolveLocation(`faults-${name}`);
  const [data, kept] = [path.join(home, "data"), path.join(home, "kept")];
  await rename(data, kept);
  await mkdir(data);
  const run = promisify(execFile);
  await run("mount", ["-t", "tmpfs", "-o", `size=${megabytes}m`, "tmpfs", data]);
  await run("cp", ["-a", `${kept}/.`, data]);
  if (user.uid !== undefined) await run("chown", [`${user.uid}:${user.gid}`, data]);
  await run("chmod", ["700", data]);
  return { directory: data, unmount: async () => void (await run("umount", ["-l", data])) };
}

async function serverAt(
  location: Location,
  password: string,
  replicaOf?: number,
): Promise<OwnPostgres> {
  const data = dataDirectory(location);
  const port = await freePort();
  let server: ChildProcess | undefined;
  const control = (...args: string[]) =>
    promisify(execFile)(location.bin.pgCtl, [...args, "-D", data, "-w"], {
      ...location.user,
      ...{ cwd: data, env: serverEnv() },
    });
  const url = (database = "postgres") =>
    `postgres://postgres:${password}@127.0.0.1:${port}/${database}`;
  const signal = (sent: NodeJS.Signals) => {
    for (const pid of processes(server?.pid)) {
      try {
        process.kill(pid, sent);
      } catch (error) {
        // A child may have ended since the list was read: each connection is a process.
        if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
      }
    }
  };

  const postgres: OwnPostgres = {
    url,
    async start(settings = {}) {
      const given = {
        ...{ ...flags, port: `${port}`, ...settings },
        ...(replicaOf && {
          primary_conninfo: `host=127.0.0.1 port=${replicaOf} user=postgres password=${password}`,
        }),
      };
      const log = openSync(logFile(location), "a");
      server = spawn(
        location.bin.postgres,
        ["-D", data, ...Object.entries(given).flatMap(([key, value]) => ["-c", `${key}=${value}`])],
        { ...location.user, cwd: data, env: serverEnv(), stdio: ["ignore", log, log] },
      );
      await untilReady(url(), server, location);
    },
    async stop(mode = "fast") {
      if (!server || server.exitCode !== null || server.signalCode !== null) return;
      const gone = once(server, "exit");
      await control("stop", "-m", mode);
      await gone;
    },
    async kill() {
      const gone = server && once(server, "exit");
      signal("SIGKILL");
      await gone;
    },
    pause: () => signal("SIGSTOP"),
    resume: () => signal("SIGCONT"),
    async createReplica(name, line) {
      await postgres.stop();
      const copy = await resolveLocation(`faults-${name}`);
      await rm(copy.home, { recursive: true, force: true });
      await cp(location.home, copy.home, { recursive: true, preserveTimestamps: true });
      await writeFile(path.join(dataDirectory(copy), "standby.signal"), "");
      const { uid, gid } = location.user;
      if (uid !== undefined)
        await promisify(execFile)("chown", ["-R", `${uid}:${gid}`, dataDirectory(copy)]);
      await postgres.start();
      const replica = await serverAt(copy, password, Number(new URL(line.url).port));
      await replica.start();
      return replica;
    },
    promote: async () => void (await control("promote")),
    async destroy() {
      await postgres.stop("immediate");
      await rm(location.home, { recursive: true, force: true });
    },
  };
  return postgres;
}

/** Returns the process ids of a server and its children, from /proc (Linux only). */
function processes(pid: number | undefined): number[] {
  if (!pid) return [];
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8");
  return [pid, ...children.trim().split(" ").filter(Boolean).map(Number)];
}

async function untilReady(url: string, server: ChildProcess, location: Location): Promise<void> {
  const deadline = Date.now() + minutes(1);
  while (Date.now() < deadline && server.exitCode === null) {
    const { sql } = connect(url, { max: 1 });
    const answered = await sql`select 1`.then(
      () => true,
      () => false,
    );
    await sql.end({ timeout: 1 });
    if (answered) return;
    await sleep(50);
  }
  throw new Error(`Postgres did not start:\n${await readFile(logFile(location), "utf8")}`);
}
