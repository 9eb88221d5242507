import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import os from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { requestLimits } from "@/lib/db/limits";
import { childEnv, readVariable } from "@/lib/env";

/*
 * The programs around several instances of the server: HAProxy in front of them, and PgBouncer in
 * transaction mode between them and Postgres. Both must be installed (Debian's packages haproxy and
 * pgbouncer). Each app of a test starts its own.
 */

const INSTANCES = "LATCHKEY_INSTANCES";

/** The default number of instances of `startApp`: `npm run test:e2e -- --instances=2`. */
export const instanceCount = (): number => Number(readVariable(INSTANCES) ?? 1);

/** The environment that makes `instanceCount` return this number. */
export const instancesEnv = (count: number): Record<string, string> => ({
  [INSTANCES]: `${count}`,
});

/** Returns which of the two programs are not installed. */
export function missingPrograms(): string[] {
  const folders = `${programEnv().PATH}`.split(path.delimiter);
  const isInstalled = (program: string) =>
    folders.some((folder) => existsSync(path.join(folder, program)));
  return ["haproxy", "pgbouncer"].filter((program) => !isInstalled(program));
}

export type Running = { port: number; stop(): Promise<void> };

/**
 * Starts PgBouncer in front of this database, with fewer connections to it than the instances
 * may open, so that they share them. After each transaction it may give the connection to
 * another client, so no session state is reliable. `at`: the port of a stopped one, to start
 * it again there.
 */
export async function startPooler(
  databaseUrl: string,
  at?: number,
): Promise<Running & { url: string }> {
  const { hostname, port, username, password, pathname } = new URL(databaseUrl);
  const { statement, idleTransaction } = requestLimits;
  const database = Object.entries({
    host: hostname,
    port: port || "5432",
    dbname: pathname.slice(1),
    user: decodeURIComponent(username),
    password: decodeURIComponent(password),
    // The limits that a server without a pooler sets itself (DEPLOY.md).
    connect_query: `set statement_timeout = ${statement}; set idle_in_transaction_session_timeout = ${idleTransaction}`,
  }).filter(([, value]) => value);
  const configuration = (listening: number) => [
    "[databases]",
    `* = ${database.map(([name, value]) => `${name}='${value.replaceAll("'", "''")}'`).join(" ")}`,
    "[pgbouncer]",
    "listen_addr = 127.0.0.1",
    `listen_port = ${listening}`,
    "unix_socket_dir =",
    "auth_type = any",
    "pool_mode = transaction",
    "default_pool_size = 8",
    "max_client_conn = 200",
  ];
  const running = await startProgram("pgbouncer", configuration, at);
  const url = new URL(`postgres://127.0.0.1:${running.port}/pooled?pgbouncer=true`);
  return { ...running, url: Object.assign(url, { username: username || "postgres" }).href };
}

/**
 * Starts HAProxy in front of instances on these ports. Each request goes to the next instance
 * whose health check succeeds, or to the one that its `x-instance` header numbers. A build
 * file that one instance does not have, because it belongs to another version, is requested
 * from the other (DEPLOY.md).
 */
export function startBalancer(ports: number[]): Promise<Running> {
  const servers = ports.map((port, index) => `  server s${index} 127.0.0.1:${port} check inter 1s`);
  return startProgram("haproxy", (listening) => [
    "defaults",
    "  mode http",
    "  timeout connect 30s",
    "  timeout check 30s", // a busy machine responds late
    // An open page holds an event stream, and tests hold requests with locks.
    "  timeout client 10m",
    "  timeout server 10m",
    "  balance roundrobin",
    "  option httpchk GET /api/health",
    // The server may close an idle connection while a request is being sent.
    "  option http-server-close",
    "frontend site",
    `  bind 127.0.0.1:${listening}`,
    "  use_backend files if { path_beg /_next/static/ }",
    "  default_backend instances",
    "backend instances",
    "  option redispatch 1",
    ...ports.map((_, index) => `  use-server s${index} if { req.hdr(x-instance) ${index} }`),
    ...servers,
    "backend files",
    "  option redispatch 1",
    `  retries ${ports.length}`,
    "  retry-on conn-failure 404",
    ...servers,
  ]);
}

/** Starts the program with this configuration, and waits until it accepts connections. */
async function startProgram(
  program: string,
  configuration: (port: number) => string[],
  at?: number,
): Promise<Running> {
  const folder = await mkdtemp(path.join(os.tmpdir(), `latchkey-${program}-`));
  const file = path.join(folder, "configuration");
  let said = "";
  // Another program may have taken the free port before this one binds it.
  for (let attempt = 1; attempt <= 3; attempt++) {
    const port = at ?? (await freePort());
    await writeFile(file, `${configuration(port).join("\n")}\n`);
    // HAProxy stays in the foreground with -db. PgBouncer refuses to run as root.
    const args = program === "haproxy" ? ["-db", "-f", file] : [file];
    if (program === "pgbouncer" && process.getuid?.() === 0) args.unshift("-u", "nobody");
    const child = spawn(program, args, { env: programEnv(), stdio: ["ignore", "pipe", "pipe"] });
    const failed = once(child, "error").then(([error]) => {
      said += `${error}\n`;
    });
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (chunk) => {
        said += chunk;
      });
    const stop = async () => {
      await endProgram(child);
      await rm(folder, { recursive: true });
    };
    if (await Promise.race([accepts(child, port), failed.then(() => false)])) return { port, stop };
    await endProgram(child);
  }
  await rm(folder, { recursive: true });
  throw new Error(`${program} did not start:\n${said}`);
}

/** Kills the program: a newer PgBouncer would wait for its clients after SIGTERM. */
async function endProgram(child: ChildProcess): Promise<void> {
  if (!child.pid || child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, "exit");
  child.kill("SIGKILL");
  await gone;
}

async function accepts(child: ChildProcess, port: number): Promise<boolean> {
  while (child.exitCode === null && child.signalCode === null) {
    const socket = connect(port, "127.0.0.1");
    const open = await once(socket, "connect").then(
      () => true,
      () => false,
    );
    socket.destroy();
    if (open) return true;
    await sleep(20);
  }
  return false;
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address ? address.port : 0;
}

/** Debian installs both into /usr/sbin, which is not in every user's PATH. */
const programEnv = () => childEnv({ PATH: `${readVariable("PATH")}${path.delimiter}/usr/sbin` });
