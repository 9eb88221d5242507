import { type ChildProcess, spawn } from "node:child_process";
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import os from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { PasskeySite } from "@/lib/auth/credentials/webauthn";
import type { Connection } from "@/lib/db/client";
import { childEnv } from "@/lib/env";
import { minutes, seconds } from "@/lib/time";
import { startSmtpServer } from "./smtp";
import { startTlsProxy } from "./tls";

/** The production build as it is deployed: behind TLS, with a database and a mail server. */
export type App = {
  /** What browsers open. */
  origin: string;
  /** The server itself, behind the TLS proxy. */
  port: number;
  databaseUrl: string;
  pid: number;
  /** Its exit code, once it has ended; null after SIGKILL. */
  exited: Promise<number | null>;
  /** Where mails are kept: see `receivedMail`. */
  mails: string;
  /** Everything the server printed. */
  log: string;
  /** Every token that passed the TLS proxy; none may be in the log. */
  tokens: Set<string>;
  stop(): Promise<void>;
  /** SIGKILL, and the server again, with the same environment and behind the same TLS proxy. */
  kill(): Promise<void>;
  start(): Promise<void>;
};

/** The key of the apps for authenticator secrets, also for tests that read them from the database. */
export const sealingKey = "dGVzdC1rZXktdGVzdC1rZXktdGVzdC1rZXktdGVzdC0";

/** What the apps sign with; random, and known to the tests that answer their challenges. */
const authSecret = randomBytes(32).toString("base64url");

const origins = new Map<string, string>();

/** What `npm run build` makes and `npm start` runs. */
export const standalone = path.resolve(".next", "standalone");

/** What passkeys of the app with this database are bound to. */
export function siteOf({ sql }: Connection): PasskeySite {
  const origin = origins.get(sql.options.database);
  if (!origin) throw new Error("siteOf: no app of this process has this database.");
  return { origin, rpId: "localhost", secret: authSecret };
}

/** `directory`: the build to serve, the checkout's unless a test made another. */
export async function startApp(
  databaseUrl: string,
  {
    directory = standalone,
    env = {},
  }: {
    directory?: string;
    /** Or how it follows from the address that browsers open. */
    env?: Record<string, string> | ((origin: string) => Promise<Record<string, string>>);
  } = {},
): Promise<App> {
  const files = await mkdtemp(path.join(os.tmpdir(), "latchkey-app-"));
  const [mails, log] = [path.join(files, "mails.jsonl"), path.join(files, "server.log")];
  let port = 0;
  const [smtp, tls] = [await startSmtpServer(mails), await startTlsProxy(() => port)];
  const origin = `https://localhost:${tls.port}`;
  // Of the first: a test that starts a second app on its database leaves the passkeys where they work.
  const database = new URL(databaseUrl).pathname.slice(1);
  if (!origins.has(database)) origins.set(database, origin);
  const given = typeof env === "function" ? await env(origin) : env;
  let server: ChildProcess | undefined;
  const stop = async () => {
    tls.stop();
    if (server) await stopServer(server);
    await smtp.stop();
  };

  const variables = {
    APP_URL: origin,
    DATABASE_URL: databaseUrl,
    AUTH_SECRET: authSecret,
    JWT_PRIVATE_JWKS: privateJwks(),
    ENCRYPTION_KEYS: sealingKey,
    SMTP_URL: smtp.url,
    MAIL_FROM: "Latchkey <latchkey@example.com>",
    TRUSTED_PROXY_HOPS: "2",
    ...given,
  };
  const app: App = {
    ...{ origin, databaseUrl, mails, log, stop, tokens: tls.tokens },
    ...{ port, pid: 0, exited: Promise.resolve(null) },
    async start() {
      // Another program may have taken the free port by the time the server asks for it.
      for (let attempt = 1; attempt <= 3; attempt++) {
        port = await freePort();
        server = startServer(port, variables, directory);
        const exited = once(server, "exit").then(([code]) => code);
        const output = createWriteStream(log, { flags: "a" });
        server.stdout?.pipe(output, { end: false });
        server.stderr?.pipe(output, { end: false });
        Object.assign(app, { port, exited, pid: server.pid ?? 0 });
        if (await isReady(server, port)) return;
        await stopServer(server);
      }
      await stop();
      throw new Error(`The server did not get ready:\n${await readFile(log, "utf8")}`);
    },
    async kill() {
      if (server) await stopServer(server, "SIGKILL");
    },
  };
  await app.start();
  return app;
}

/** `npm start`, without npm in between. The environment is this process's plus `env`. */
export function startServer(
  port: number,
  env: Record<string, string>,
  directory = standalone,
): ChildProcess {
  const address = { PORT: `${port}`, HOSTNAME: "127.0.0.1" };
  const cwd = directory === standalone ? process.cwd() : directory;
  return startProgram([path.join(directory, "server.js")], { ...address, ...env }, cwd);
}

/** A server of production that Node runs with these arguments. */
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
      BREACHED_PASSWORDS_URL: "off", // its production default is a server on the internet
      ...env,
    }),
    stdio: ["ignore", "pipe", "pipe"],
  });
}

/** Asks it to stop, and kills it after five seconds. */
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

/** A copy of the build in which Next does not find `proxy.ts`. `startApp` serves it; delete it after. */
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

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  // A listening TCP server's address is never a string or null.
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function privateJwks(): string {
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
