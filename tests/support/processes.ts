import { type ChildProcess, spawn } from "node:child_process";
import { childEnv, readVariable } from "@/lib/env";
import { minutes } from "@/lib/time";

/** A program that Node runs, with its arguments. */
export type Program = { script: string; args: string[]; env?: Record<string, string> };

export const programs = {
  next: "node_modules/next/dist/bin/next",
  vitest: "node_modules/vitest/vitest.mjs",
  playwright: "node_modules/@playwright/test/cli.js",
};

/** For what package.json says better. */
export function npmRun(name: string): Program {
  const npm = readVariable("npm_execpath");
  if (!npm) throw new Error("Run this through npm: `npm test`.");
  return { script: npm, args: ["run", "--silent", name] };
}

const LIMIT = minutes(70);

/**
 * Runs a program to its end, on our own terminal, and answers whether it succeeded. Nothing that it
 * started outlives it, and it does not outlive LIMIT: a server that hangs must not
 * hang a build machine.
 */
export async function run({ script, args, env }: Program): Promise<boolean> {
  const child = spawn(process.execPath, [script, ...args], {
    // A process group of its own (Windows has none), so that it can be ended as one.
    detached: process.platform !== "win32",
    stdio: "inherit",
    env: childEnv(env),
  });
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
