import { type ChildProcess, spawn } from "node:child_process";
import path from "node:path";
import { childEnv } from "@/lib/env";
import { minutes } from "@/lib/time";

/** A program that Node runs, with its arguments. */
export type Program = {
  script: string;
  args: string[];
  env?: Record<string, string>;
  /** Where it runs: at the top of the repository, if not said. */
  directory?: string;
};

export const programs = {
  next: "node_modules/next/dist/bin/next",
  vitest: "node_modules/vitest/vitest.mjs",
  playwright: "node_modules/@playwright/test/cli.js",
  biome: "node_modules/@biomejs/biome/bin/biome",
};

/** `npm run build`, of a site that sells its plans: the pages that it makes show prices. */
export const productionBuild: Program = {
  script: "node_modules/tsx/dist/cli.mjs",
  args: ["lib/commands/build.ts"],
  env: { STRIPE_SECRET_KEY: "sk_test_build", STRIPE_WEBHOOK_SECRET: "whsec_build" },
};

const LIMIT = minutes(70);

/**
 * Runs a program to its end, on our own terminal, and answers whether it succeeded. Nothing that it
 * started outlives it, and it does not outlive LIMIT: a server that hangs must not
 * hang a build machine. `held`: what it prints is shown at its end, because another program runs.
 */
export async function run(
  { script, args, env, directory }: Program,
  held = false,
): Promise<boolean> {
  const child = spawn(process.execPath, [path.resolve(script), ...args], {
    cwd: directory,
    // A process group of its own (Windows has none), so that it can be ended as one.
    detached: process.platform !== "win32",
    stdio: held ? ["ignore", "pipe", "pipe"] : "inherit",
    env: childEnv(env),
  });
  const closed = new Promise((resolve) => child.once("close", resolve));
  const printed: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr])
    stream?.on("data", (chunk) => printed.push(chunk));
  const interrupt = () => endGroup(child, "SIGINT");
  const limit = setTimeout(() => {
    console.error(`\nNot finished within ${LIMIT / minutes(1)} minutes: ${script}`);
    endGroup(child, "SIGKILL");
  }, LIMIT);
  process.on("SIGINT", interrupt).on("SIGTERM", interrupt);
  const code = await new Promise((resolve) => child.once("exit", resolve));
  process.off("SIGINT", interrupt).off("SIGTERM", interrupt);
  clearTimeout(limit);
  endGroup(child, "SIGKILL");
  if (held) await closed; // its last lines may come after its end
  process.stdout.write(Buffer.concat(printed));
  return code === 0;
}

function endGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  if (!pid) return;
  try {
    process.kill(process.platform === "win32" ? pid : -pid, signal);
  } catch {
    // No process of it is left.
  }
}
