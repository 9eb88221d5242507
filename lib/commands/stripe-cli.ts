import { spawn } from "node:child_process";
import { once } from "node:events";
import { childEnv } from "@/lib/env";
import { minutes } from "@/lib/time";

/* Runs Stripe's own command line, which npx downloads, for commands. */

export const SANDBOX = "npx --yes @stripe/cli sandbox create";

/** Creates a temporary account for tests, which needs no login. The output goes to the terminal. */
export async function createSandbox(): Promise<boolean> {
  const child = spawn(SANDBOX, { shell: true, stdio: "inherit" });
  const [code] = await once(child, "exit");
  return code === 0;
}

export type Forwarding = { secret: string; stop(): void };

/** Forwards the account's events to `url`. Returns a string with the reason if it cannot. */
export async function forwardEvents(key: string, url: string): Promise<Forwarding | string> {
  const windows = process.platform === "win32";
  // A separate process group, so that what npx starts is stopped with it.
  const child = spawn("npx", ["--yes", "@stripe/cli", "listen", "--forward-to", url], {
    ...{ env: childEnv({ STRIPE_API_KEY: key }), detached: !windows, shell: windows },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const stop = () => {
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    if (windows) child.kill();
    else process.kill(-child.pid);
  };
  process.once("exit", stop);
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));
  const said = await new Promise<Forwarding | string>((resolve) => {
    let output = "";
    const read = (chunk: Buffer) => {
      output += chunk;
      const secret = /whsec_\w+/.exec(output)?.[0];
      if (secret) resolve({ secret, stop });
    };
    child.stdout?.on("data", read);
    child.stderr?.on("data", read);
    child.once("error", ({ message }) => resolve(message));
    child.once("exit", (code) => resolve(`stripe listen ended with code ${code}`));
    setTimeout(() => resolve("stripe listen was not ready in a minute"), minutes(1)).unref();
  });
  if (typeof said === "string") stop();
  return said;
}
