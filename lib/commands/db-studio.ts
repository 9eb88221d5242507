import { spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { childEnv } from "@/lib/env";
import { readEnvFiles, withDatabase } from "./database";
import { command, interrupted } from "./terminal";

command(async () => {
  readEnvFiles();
  const interruption = interrupted();
  await withDatabase(async ({ url }) => {
    const bin = path.resolve("node_modules", "drizzle-kit", "bin.cjs");
    const studio = spawn(process.execPath, [bin, "studio"], {
      env: childEnv({ DATABASE_URL: url }),
      stdio: "inherit",
    });
    const ended = once(studio, "exit").then(([code]) => {
      process.exitCode = code ?? 0;
    });
    await Promise.race([ended, interruption]);
    studio.kill();
  });
});
