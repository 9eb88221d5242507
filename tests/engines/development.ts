import { type ChildProcess, spawn } from "node:child_process";
import { readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { createInterface } from "node:readline";
import { stripVTControlCharacters } from "node:util";
import { childEnv } from "@/lib/env";
import { freePort } from "@/tests/support/instances";
import { copyCheckout } from "@/tests/support/removal";
import { end } from "./processes";

export type DevelopmentServer = { origin: string; stop(): Promise<void> };

/**
 * Starts `npm run dev` on plain http, in a copy of the checkout. Next allows one development server
 * per folder, and a developer may be running theirs.
 */
export async function startDevelopment(databaseUrl: string): Promise<DevelopmentServer> {
  const directory = path.resolve(".data", "development");
  copyCheckout(directory);
  await rootAtPackages(path.join(directory, "next.config.ts"));
  const server = spawn(process.execPath, ["--import", "tsx", "lib/commands/dev.ts"], {
    cwd: directory,
    env: childEnv({
      NODE_ENV: "development",
      NEXT_TELEMETRY_DISABLED: "1",
      DATABASE_URL: databaseUrl,
      PORT: `${await freePort()}`,
    }),
    stdio: ["ignore", "pipe", "inherit"],
  });
  const stop = async () => {
    await end(server);
    await rm(directory, { recursive: true, force: true });
  };
  try {
    return { origin: await printedSite(server), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/**
 * Sets Next's root to the checkout, which has the packages: Next reads no file outside its root.
 */
async function rootAtPackages(config: string): Promise<void> {
  const text = await readFile(config, "utf8");
  const [before, after, ...others] = text.split("process.cwd()");
  if (after === undefined || others.length > 0)
    throw new Error("next.config.ts does not say process.cwd() once, as the root.");
  await writeFile(config, before + JSON.stringify(process.cwd()) + after);
}

/** Returns the URL that the server prints when it is ready. */
function printedSite(server: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    if (!server.stdout) return reject(new Error("It was started without a pipe for its output."));
    const printed: string[] = [];
    // Keep reading: the server would block on a full pipe.
    const lines = createInterface({ input: server.stdout });
    lines.on("line", (line) => {
      printed.push(stripVTControlCharacters(line));
      const [, url] = /^\s*Site\s+(http:\S+)$/.exec(printed.at(-1) ?? "") ?? [];
      if (url) resolve(url);
    });
    lines.on("close", () =>
      reject(new Error(`The development server ended:\n${printed.join("\n")}`)),
    );
  });
}
