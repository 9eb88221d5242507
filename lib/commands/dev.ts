import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { stripVTControlCharacters } from "node:util";
import { hashPassword } from "@/lib/auth/credentials/passwords";
import { setUpBilling } from "@/lib/billing/setup";
import { standInFile, startStandIn } from "@/lib/billing/stand-in/start";
import { stripeClient } from "@/lib/billing/stripe";
import { migrate } from "@/lib/db/migrate";
import { startOpenidProvider } from "@/lib/dev/openid";
import { devSecrets } from "@/lib/dev/secrets";
import { demoUsers, seed } from "@/lib/dev/seed";
import { childEnv, env, hasMailbox, parseEnv, readVariable, setEnv } from "@/lib/env";
import { isLoopback } from "@/lib/http";
import { product } from "@/lib/product";
import { seconds } from "@/lib/time";
import { location, openDatabase, readEnvFiles, refuseInProduction } from "./database";
import { chooseHost } from "./host";
import { choosePort, freePort } from "./port";
import {
  bold,
  colorful,
  command,
  dim,
  interrupted,
  migrated,
  say,
  seeded,
  step,
  warn,
} from "./terminal";

const DEMO_PROVIDER = "the demo provider";
// Part of the issuer, and so of every identity. It is the same at each start, if it is free.
const DEMO_PROVIDER_PORT = 4400;
const STAND_IN_PORT = 4500;

type Stops = (() => Promise<void>)[];

command(async () => {
  const stops: Stops = [];
  const interruption = interrupted().then(() => say("", dim("Stopping…")));
  try {
    await Promise.race([serve(stops), interruption]);
  } finally {
    for (const stop of stops.reverse()) await stop();
  }
});

/** Returns when Next has ended by itself. Adds to `stops` what must be stopped then, or earlier. */
async function serve(stops: Stops): Promise<void> {
  readEnvFiles();
  refuseInProduction("use `npm run build` and `npm start`, or unset NODE_ENV.");
  const host = chooseHost(process.argv.slice(2));
  say("", bold(product.name), "");
  const port = String(await choosePort());
  setEnv({ PORT: port });

  const database = await step("Starting the database", openDatabase, ({ embedded, url }) =>
    embedded ? "Database ready" : `Database ready at ${location(url)}`,
  );
  stops.push(database.stop);
  if (database.embedded) setEnv({ DATABASE_URL: database.url });
  setEnv(await devSecrets());
  if (!readVariable("OIDC_ISSUER")) stops.push(await startDemoProvider());
  if (!readVariable("STRIPE_SECRET_KEY")) stops.push(await startStandInForStripe());
  env(); // reports every other error now, and not on the first page

  await step("Migrating", () => migrate(database.url), migrated);
  if (database.embedded) {
    await step("Adding demo data", () => seed(database.url, hashPassword), seeded);
  }

  const next = startNext(port, host);
  stops.push(() => stopNext(next));
  process.on("exit", () => next.kill()); // if an interruption came before the line above
  const ended = once(next, "exit");
  await step(
    "Starting Next.js",
    () => Promise.race([ready(next), ended]),
    () => "Next.js ready",
  );
  if (next.exitCode === null) welcome(database.embedded, host);
  await ended;
  process.exitCode = next.exitCode ?? 1;
}

/** Starts a provider, so that a login with one can be tried without an account anywhere. */
async function startDemoProvider(): Promise<() => Promise<void>> {
  const [port, appUrl] = [await freePort(DEMO_PROVIDER_PORT), parseEnv(childEnv()).APP_URL];
  const { env, stop } = await step(
    "Starting the demo provider",
    () => startOpenidProvider({ port, appUrl }),
    () => "Demo provider ready",
  );
  setEnv({ ...env, OIDC_NAME: DEMO_PROVIDER, OIDC_DOMAINS: "example.com" });
  return stop;
}

/**
 * Starts the stand-in, so that a plan can be bought without an account anywhere. Its state is kept
 * beside the database.
 */
async function startStandInForStripe(): Promise<() => Promise<void>> {
  const [port, appUrl] = [await freePort(STAND_IN_PORT), parseEnv(childEnv()).APP_URL];
  const webhook = { url: `${appUrl}/api/webhooks/stripe`, secret: "whsec_development" };
  const { origin, secretKey, stop } = await step(
    "Starting the stand-in for Stripe",
    async () => {
      const standIn = await startStandIn({
        port,
        file: standInFile,
        webhook,
      });
      const stripe = await stripeClient({ key: standIn.secretKey, url: standIn.origin });
      await setUpBilling(stripe, null);
      return standIn;
    },
    () => "Stand-in for Stripe ready",
  );
  setEnv({
    STRIPE_SECRET_KEY: secretKey,
    STRIPE_WEBHOOK_SECRET: webhook.secret,
    STRIPE_API_URL: origin,
  });
  return stop;
}

// The system closes the channel however this process dies, so Next never outlives
// it and keeps the port.
const endWithParent = "data:text/javascript,process.once('disconnect',()=>process.exit())";

function startNext(port: string, host: string): ChildProcess {
  const bin = createRequire(import.meta.url).resolve("next/dist/bin/next");
  const args = ["--import", endWithParent, bin, "dev", "--port", port, "--hostname", host];
  return spawn(process.execPath, args, {
    env: childEnv(colorful ? { FORCE_COLOR: "1" } : {}),
    stdio: ["inherit", "pipe", "inherit", "ipc"],
  });
}

/** Resolves when Next is ready. Prints its output except the banner, which `welcome` replaces. */
async function ready({ stdout }: ChildProcess): Promise<void> {
  if (!stdout) throw new Error("Next was started without a pipe for its output.");
  const lines = createInterface({ input: stdout });
  await new Promise<void>((resolve) => {
    lines.on("line", (line) => {
      const text = stripVTControlCharacters(line).trim();
      if (/^✓ Ready in/.test(text)) resolve();
      else if (text && !/^(▲ Next\.js|- (Local|Network|Environments):|✓ Starting)/.test(text)) {
        process.stdout.write(`${line}\n`);
      }
    });
  });
  lines.removeAllListeners("line");
  lines.on("line", (line) => process.stdout.write(`${line}\n`));
}

function welcome(withDemoUsers: boolean, host: string): void {
  const { APP_URL, STRIPE_API_URL } = env();
  say("", `Site      ${bold(APP_URL)}`);
  if (hasMailbox()) say(`Mailbox   ${APP_URL}/dev/mailbox`);
  if (STRIPE_API_URL) say(`Payments  ${STRIPE_API_URL}  ${dim("a stand-in for Stripe")}`);
  if (withDemoUsers) {
    const width = Math.max(...demoUsers.map(({ email }) => email.length));
    demoUsers.forEach(({ email, password, role }, index) => {
      say(
        `${index === 0 ? "Log in as" : "       or"} ${email.padEnd(width)}  ${dim("password")} ${password}  ${dim(role)}`,
      );
    });
  }
  if (env().OIDC_NAME === DEMO_PROVIDER)
    say(`Or press “Continue with ${DEMO_PROVIDER}”: it accepts any name and password.`);
  // /dev checks the Host header, which a program can set to anything.
  if (!isLoopback(host) && host !== "::1")
    warn(`Listening on ${host}: other machines can read the mailbox and log in as above.`);
  say("", dim("Ctrl-C stops the site and the database; the data is kept."), "");
}

async function stopNext(next: ChildProcess): Promise<void> {
  if (next.exitCode !== null || next.signalCode !== null) return;
  const ended = once(next, "exit");
  next.kill("SIGTERM");
  const impatience = setTimeout(() => next.kill("SIGKILL"), seconds(2));
  await ended;
  clearTimeout(impatience);
}
