/*
 * Cleans up what a killed process left behind: an orphaned server, a stale postmaster.pid, an
 * unfinished data directory. It never ends a process that only has the old server's pid.
 */
import { execFile, spawnSync } from "node:child_process";
import { readdir, readFile, readlink, realpath, rm } from "node:fs/promises";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { seconds } from "@/lib/time";
import { joinServer, type Lease } from "./lease";
import { dataDirectory, type Location, serverEnv } from "./location";

const run = promisify(execFile);

/**
 * Clears a postmaster.pid whose server has no supervisor that answers. The file of a dead
 * server is left to Postgres, which recovers by itself. Returns a lease if a concurrent start
 * has finished meanwhile.
 */
export async function recoverServer(location: Location): Promise<Lease | undefined> {
  const data = dataDirectory(location);
  const pid = await serverPid(data);
  if (pid === undefined || !isAlive(pid)) return undefined;
  const isServer = await servesFrom(pid, data);
  if (isServer === undefined) return undefined;
  if (!isServer) {
    // After a reboot, the pid may be another program's, which Postgres would take for a server.
    if ((await serverPid(data)) === pid) await rm(path.join(data, "postmaster.pid"));
    return undefined;
  }
  // A concurrent start or stop takes less than this.
  for (const deadline = Date.now() + seconds(3); Date.now() < deadline; await delay(50)) {
    const lease = await joinServer(location);
    if (lease || !isAlive(pid)) return lease;
  }
  // Orphaned: its supervisor was killed.
  await run(location.bin.pgCtl, ["stop", "-D", data, "-m", "fast", "-w"], {
    ...location.user,
    cwd: location.home,
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

/** Returns whether that process is the server of this data; undefined if that is unknown. */
async function servesFrom(pid: number, data: string): Promise<boolean | undefined> {
  if (process.platform === "win32") return undefined;
  if (process.platform === "linux") {
    // A server's working directory is its data. A process whose link we may not read is not ours.
    const cwd = await readlink(`/proc/${pid}/cwd`).catch(() => undefined);
    return cwd === (await realpath(data));
  }
  const { stdout } = spawnSync("ps", ["-ww", "-o", "command=", "-p", String(pid)], {
    encoding: "utf8",
  });
  if (stdout.includes(`-D ${data} `)) return true;
  return stdout.includes("postgres") ? undefined : false;
}

/** Deletes the files of an initdb that was killed before its data was complete. */
export async function removeInterruptedClusters(home: string): Promise<void> {
  const prefix = `${path.basename(home)}.new-`;
  for (const entry of await readdir(path.dirname(home))) {
    if (!entry.startsWith(prefix) || isAlive(Number.parseInt(entry.slice(prefix.length), 10)))
      continue;
    await rm(path.join(path.dirname(home), entry), { recursive: true, force: true });
  }
}
