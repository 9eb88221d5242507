import { type ChildProcess, spawn } from "node:child_process";
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { PasskeySite } from "@/lib/auth/credentials/webauthn";
import type { Connection } from "@/lib/db/client";
import { childEnv } from "@/lib/env";
import { hashesOf, type StaticBuild, staticBuildFile } from "@/lib/static-pages";
import { minutes, seconds } from "@/lib/time";
import { freePort, instanceCount, startBalancer, startPooler } from "./instances";
import { startSmtpServer } from "./smtp";
import { startTlsProxy } from "./tls";

/** The production build as it is deployed: behind TLS, with a database and a mail server. */
export type App = {
  /** The URL that browsers open. */
  origin: string;
  /** The port of the server behind the TLS proxy, or of HAProxy if there are several instances. */
  port: number;
  /** The URL of the database itself, without a pooler. */
  databaseUrl: string;
  /** The process id of the first instance. */
  pid: number;
  /** The exit code of the first instance once it has ended; null after SIGKILL. */
  exited: Promise<number | null>;
  /** The file that received mails are kept in: see `receivedMail`. */
  mails: string;
  /** The file with everything that the instances printed. */
  log: string;
  /** Every token that passed the TLS proxy; none may be in the log. */
  tokens: Set<string>;
  stop(): Promise<void>;
  /** SIGKILL. `start` then starts one instance again, with the same environment and TLS proxy. */
  kill(): Promise<void>;
  start(): Promise<void>;
};

/** The apps' key for authenticator secrets, also used by tests that read them from the database. */
export const sealingKey = "dGVzdC1rZXktdGVzdC1rZXktdGVzdC1rZXktdGVzdC0";

/** The apps' signing secret: random, and shared with the tests that answer passkey challenges. */
const authSecret = randomBytes(32).toString("base64url");

const origins = new Map<string, string>();

/** The output of `npm run build`, which `npm start` runs. */
export const standalone = path.resolve(".next", "standalone");

/** Returns the site that passkeys are bound to in the app with this database. */
export function siteOf({ sql }: Connection): PasskeySite {
  const origin = origins.get(sql.options.database);
  if (!origin) throw new Error("siteOf: no app of this process has this database.");
  return { origin, rpId: "localhost", secret: authSecret };
}

/**
 * With several instances, HAProxy distributes the requests and PgBouncer the connections (see
 * instances.ts). A test that concerns a single process passes `instances: 1`.
 */
export async function startApp(
  databaseUrl: string,
  {
    directory = standalone,
    env = {},
    instances = Array.isArray(directory) ? directory.length : instanceCount(),
  }: {
    /** The build to serve (default: the checkout's), or a list with one build per instance. */
    directory?: string | string[];
    /** Environment variables, or a function that derives them from the URL that browsers open. */
    env?: Record<string, string> | ((origin: string) => Promise<Record<string, string>>);
    instances?: number;
  } = {},
): Promise<App> {
  const files = await mkdtemp(path.join(os.tmpdir(), "latchkey-app-"));
  const [mails, log] = [path.join(files, "mails.jsonl"), path.join(files, "server.log")];
  let port = 0;
  const [smtp, tls] = [await startSmtpServer(mails), await startTlsProxy(() => port)];
  const origin = `https://localhost:${tls.port}`;
  // Only the first app counts: a second one on the same database must not move its passkeys.
  const database = new URL(databaseUrl).pathname.slice(1);
  if (!origins.has(database)) origins.set(database, origin);
  const given = typeof env === "function" ? await env(origin) : env;
  const stops: (() => Promise<void>)[] = [smtp.stop];
  const stop = async () => {
    tls.stop();
    for (const end of stops.splice(0).reverse()) await end();
  };
  const variables: Record<string, string> = {
    APP_URL: origin,
    DATABASE_URL: databaseUrl,
    AUTH_SECRET: authSecret,
    JWT_PRIVATE_JWKS: privateJwks(),
    ENCRYPTION_KEYS: sealingKey,
    SMTP_URL: smtp.url,
    MAIL_FROM: "Latchkey <latchkey@example.com>",
    TRUSTED_PROXY_HOPS: "2",
  };
  try {
    if (instances > 1) {
      const pooler = await startPooler(databaseUrl);
      stops.push(pooler.stop);
      Object.assign(variables, { DATABASE_URL: pooler.url, DATABASE_DIRECT_URL: databaseUrl });
    }
    let servers: Instance[] = [];
    stops.push(async () => {
      await Promise.all(servers.map(({ server }) => stopServer(server)));
    });
    const start = async () => {
      servers = await Promise.all(
        Array.from({ length: instances }, (_, index) =>
          startInstance(
            { ...variables, ...given },
            log,
            Array.isArray(directory) ? directory[index] : directory,
          ),
        ),
      );
      const [first] = servers;
      if (!first) throw new Error("startApp: no instance.");
      port = first.port;
      return { port, pid: first.server.pid ?? 0, exited: first.exited };
    };
    const app: App = {
      ...{ origin, databaseUrl, mails, log, stop, tokens: tls.tokens, ...(await start()) },
      async kill() {
        await Promise.all(servers.map(({ server }) => stopServer(server, "SIGKILL")));
      },
      async start() {
        if (instances > 1) throw new Error("HAProxy does not know the new ports.");
        Object.assign(app, await start());
      },
    };
    if (instances > 1) {
      const balancer = await startBalancer(servers.map((each) => each.port));
      stops.push(balancer.stop);
      port = balancer.port;
    }
    return Object.assign(app, { port });
  } catch (error) {
    await stop();
    throw error;
  }
}

type Instance = { port: number; server: ChildProcess; exited: Promise<number | null> };

/** Starts a server and waits until it is ready. Its output is appended to the file `log`. */
async function startInstance(
  env: Record<string, string>,
  log: string,
  directory?: string,
): Promise<Instance> {
  // Another program may have taken the free port by the time the server asks for it.
  for (let attempt = 1; attempt <= 3; attempt++) {
    const port = await freePort();
    const server = startServer(port, env, directory);
    const exited = once(server, "exit").then(([code]) => code);
    const output = createWriteStream(log, { flags: "a" });
    server.stdout?.pipe(output, { end: false });
    server.stderr?.pipe(output, { end: false });
    if (await isReady(server, port)) return { port, server, exited };
    await stopServer(server);
  }
  throw new Error(`The server did not get ready:\n${await readFile(log, "utf8")}`);
}

/** Starts what `npm start` starts, without npm. The environment is this process's plus `env`. */
export function startServer(
  port: number,
  env: Record<string, string>,
  directory = standalone,
): ChildProcess {
  const address = { PORT: `${port}`, HOSTNAME: "127.0.0.1" };
  const cwd = directory === standalone ? process.cwd() : directory;
  return startProgram([path.join(directory, "server.js")], { ...address, ...env }, cwd);
}

/** Starts Node with these arguments and a production environment. */
export function startProgram(
  args: string[],
  env: Record<string, string>,
  cwd = process.cwd(),
): ChildProcess {
  return spawn(process.execPath, args, {
    cwd,
    env: childEnv({
      NODE_ENV: "production",
      NEXT_TELEMETRY_DISABLED: "1",
      BREACHED_PASSWORDS_URL: "off", // the production default is a server on the internet
      ...env,
    }),
    stdio: ["ignore", "pipe", "pipe"],
  });
}

/** Sends the signal, and SIGKILL if the server still runs after five seconds. */
export async function stopServer(
  server: ChildProcess,
  signal: NodeJS.Signals = "SIGTERM",
): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  const gone = new Promise((resolve) => server.once("exit", resolve));
  server.kill(signal);
  const timeout = setTimeout(() => server.kill("SIGKILL"), seconds(5));
  await gone;
  clearTimeout(timeout);
}

/** Copies the build without `proxy.ts`, for `startApp` to serve. The caller deletes the copy. */
export async function buildWithoutProxy(name: string): Promise<string> {
  const directory = path.resolve(".data", `without-proxy-${name}`);
  await rm(directory, { recursive: true, force: true });
  await cp(standalone, directory, { recursive: true, verbatimSymlinks: true });
  const manifest = path.join(directory, ".next/server/functions-config-manifest.json");
  const { functions, ...rest } = JSON.parse(await readFile(manifest, "utf8"));
  if (!functions?.["/_middleware"]) throw new Error(`${manifest} does not name the proxy.`);
  const { "/_middleware": _, ...others } = functions;
  await writeFile(manifest, JSON.stringify({ ...rest, functions: others }));
  return directory;
}

/**
 * Copies the build and makes the copy look like a later version: another build id, other script
 * names, and the actions with these ids gone. `startApp` serves it, and the caller deletes it. A
 * real second build takes minutes and would differ in the same names, so each name is replaced
 * everywhere by one of the same length.
 */
export async function laterBuild(name: string, removed: string[]): Promise<string> {
  const directory = path.resolve(".data", `later-${name}`);
  await rm(directory, { recursive: true, force: true });
  await cp(standalone, directory, { recursive: true, verbatimSymlinks: true });
  const built = path.join(directory, ".next");
  const buildId = await readFile(path.join(built, "BUILD_ID"), "utf8");
  const scripts = (await readdir(path.join(built, "static", "chunks"))).filter((file) =>
    file.endsWith(".js"),
  );
  // Changes the last character of an id, because the first two are flags.
  const names = [buildId, ...removed, ...scripts.map((file) => file.slice(0, -3))];
  const later = new Map(names.map((each) => [each, each.replace(/.$/, nextDigit)]));
  const pattern = new RegExp(names.map((each) => `(?<![\\w-])${each}(?![\\w-])`).join("|"), "g");
  const rename = (text: string) => text.replaceAll(pattern, (each) => `${later.get(each)}`);
  const entries = await readdir(built, { recursive: true, withFileTypes: true });
  for (const file of entries.filter((each) => each.isFile())) {
    const source = path.join(file.parentPath, file.name);
    if (source.includes("node_modules")) continue;
    const text = await readFile(source, "latin1");
    const target = path.join(built, rename(path.relative(built, source)));
    if (target !== source) await rm(source);
    await mkdir(path.dirname(target), { recursive: true });
    await writeFile(target, rename(text), "latin1");
  }
  await hashAgain(built);
  return directory;
}

const nextDigit = (digit: string) => (digit === "0" ? "1" : "0");

/**
 * Computes the hashes again, as lib/commands/build.ts does: the pages' inline scripts name
 * the build's files.
 */
async function hashAgain(built: string): Promise<void> {
  const file = path.join(built, staticBuildFile);
  const build: StaticBuild = JSON.parse(await readFile(file, "utf8"));
  for (const page of Object.keys(build.pages)) {
    const html = path.join(built, "server", "app", `${page === "/" ? "index" : page}.html`);
    build.pages[page] = hashesOf(await readFile(html, "utf8"), page);
  }
  await writeFile(file, JSON.stringify(build));
}

export function privateJwks(): string {
  const { privateKey } = generateKeyPairSync("ed25519");
  return JSON.stringify({ keys: [{ ...privateKey.export({ format: "jwk" }), kid: "test" }] });
}

async function isReady(server: ChildProcess, port: number): Promise<boolean> {
  const deadline = Date.now() + minutes(2);
  while (Date.now() < deadline && server.exitCode === null) {
    const answer = await fetch(`http://127.0.0.1:${port}/api/health`).catch(() => undefined);
    if (answer?.ok && server.exitCode === null) return true;
    await sleep(100);
  }
  return false;
}
