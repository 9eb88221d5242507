import { type ChildProcess, spawn } from "node:child_process";
import path from "node:path";
import { childEnv } from "@/lib/env";
import { minutes } from "@/lib/time";

/** A program that Node runs, and its arguments. */
export type Program = {
  script: string;
  args: string[];
  env?: Record<string, string>;
  /** The working directory; by default the repository's root. */
  directory?: string;
};

export const programs = {
  next: "node_modules/next/dist/bin/next",
  vitest: "node_modules/vitest/vitest.mjs",
  playwright: "node_modules/@playwright/test/cli.js",
  biome: "node_modules/@biomejs/biome/bin/biome",
};

/** `npm run build` for a site that sells its plans, so that the generated pages show prices. */
export const productionBuild: Program = {
  script: "node_modules/tsx/dist/cli.mjs",
  args: ["lib/commands/build.ts"],
  env: { STRIPE_SECRET_KEY: "sk_test_build", STRIPE_WEBHOOK_SECRET: "whsec_build" },
};

const LIMIT = minutes(70);

/**
 * Runs a program in this terminal and returns whether it succeeded. Processes that it started are
 * killed when it ends, and it is killed after LIMIT, so that a hanging server cannot block a build
 * machine. `held` prints its output only at the end, because another program is running.
 */
export async function run(
  { script, args, env, directory }: Program,
  held = false,
): Promise<boolean> {
  const child = spawn(process.execPath, [path.resolve(script), ...args], {
    cwd: directory,
    // Its own process group (Windows has none), so that all its processes can be killed together.
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
  if (held) await closed; // its last lines may arrive after its exit
  process.stdout.write(Buffer.concat(printed));
  return code === 0;
}

function endGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  if (!pid) return;
  try {
    process.kill(process.platform === "win32" ? pid : -pid, signal);
  } catch {
    // None of its processes is left.
  }
}
