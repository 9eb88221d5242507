import { spawn } from "node:child_process";
import path from "node:path";
import { text } from "node:stream/consumers";
import { build } from "esbuild";
import { readVariable } from "@/lib/env";

type Env = Record<string, string> & { NODE_ENV: string };

/** What a command printed (stdout and stderr), and its exit code. */
type Outcome = { code: number | null; said: string };

/**
 * Runs a file of lib/commands with these variables and no others. The file is bundled first, once
 * per test file, as `npm run build` bundles it: starting it through tsx takes three times as long.
 */
export async function runCommand(file: string, words: string[], env: Env): Promise<Outcome> {
  const found = bundles.get(file) ?? bundle(file);
  bundles.set(file, found);
  return runNode([await found, ...words], env);
}

/** Runs a file of lib/commands as `npm run` does. */
export function runSource(file: string, words: string[], env: Env): Promise<Outcome> {
  return runNode(["--import", "tsx", `lib/commands/${file}.ts`, ...words], env);
}

async function runNode(args: string[], env: Env): Promise<Outcome> {
  const child = spawn(process.execPath, args, {
    env: { PATH: "", NO_COLOR: "1", ...env } as NodeJS.ProcessEnv,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = new Promise<number | null>((resolve) => child.on("exit", resolve));
  const [out, error] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return { code: await ended, said: out + error };
}

const bundles = new Map<string, Promise<string>>();

/**
 * Writes the bundle as deep below the checkout as lib/commands is, for code that finds files
 * relative to its own path.
 */
async function bundle(file: string): Promise<string> {
  const outfile = path.resolve(
    ".data",
    "commands",
    `${readVariable("VITEST_POOL_ID")}`,
    `${file}.mjs`,
  );
  await build({
    entryPoints: [path.join("lib", "commands", `${file}.ts`)],
    ...{ outfile, bundle: true, packages: "external", format: "esm", platform: "node" },
    logLevel: "warning",
  });
  return outfile;
}
