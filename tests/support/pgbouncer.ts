import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmod, chown, mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect as connectTo } from "node:net";
import os from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { resolveLocation } from "@/lib/dev/postgres/location";
import { minutes } from "@/lib/time";
import { freePort } from "./instances";

/* PgBouncer of the distribution, with transaction pooling, before a database. */

export type PgBouncer = {
  /** The database's URL through it. */
  url: string;
  start(): Promise<void>;
  /** Closes all its connections at once. */
  stop(): Promise<void>;
  destroy(): Promise<void>;
};

export const hasPgBouncer = (): boolean => spawnSync("pgbouncer", ["--version"]).status === 0;

export async function createPgBouncer(databaseUrl: string): Promise<PgBouncer> {
  const { hostname, port: target, username, password, pathname } = new URL(databaseUrl);
  const directory = await mkdtemp(path.join(os.tmpdir(), "latchkey-pgbouncer-"));
  const [ini, users] = [path.join(directory, "pgbouncer.ini"), path.join(directory, "users.txt")];
  const port = await freePort();
  await writeFile(users, `"${username}" "${decodeURIComponent(password)}"\n`);
  await writeFile(
    ini,
    `[databases]
${pathname.slice(1)} = host=${hostname} port=${target}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = ${users}
pool_mode = transaction
`,
  );
  // It refuses to run as root, as Postgres does.
  const { user } = await resolveLocation("test");
  if (user.uid !== undefined && user.gid !== undefined)
    for (const file of [directory, ini, users]) await chown(file, user.uid, user.gid);
  await chmod(users, 0o600);
  let process: ChildProcess | undefined;

  const bouncer: PgBouncer = {
    url: Object.assign(new URL(databaseUrl), {
      ...{ hostname: "127.0.0.1", port: `${port}`, search: "?pgbouncer=true" },
    }).href,
    async start() {
      process = spawn("pgbouncer", [ini], { ...user, stdio: "ignore" });
      for (const deadline = Date.now() + minutes(1); Date.now() < deadline; await sleep(20))
        if (await accepts(port)) return;
      throw new Error("PgBouncer did not start.");
    },
    async stop() {
      if (!process || process.exitCode !== null || process.signalCode !== null) return;
      const gone = once(process, "exit");
      process.kill("SIGKILL");
      await gone;
    },
    async destroy() {
      await bouncer.stop();
      await rm(directory, { recursive: true });
    },
  };
  return bouncer;
}

function accepts(port: number): Promise<boolean> {
  const socket = connectTo(port, "127.0.0.1");
  return new Promise((resolve) => {
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}
