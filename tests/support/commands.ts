import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";

/** Runs a file of lib/commands as it is typed, with these variables and no others. */
export async function runCommand(
  file: string,
  words: string[],
  env: Record<string, string> & { NODE_ENV: string },
): Promise<{ code: number | null; said: string }> {
  const child = spawn(process.execPath, ["--import", "tsx", `lib/commands/${file}.ts`, ...words], {
    env: { PATH: "", NO_COLOR: "1", ...env } as NodeJS.ProcessEnv,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = new Promise<number | null>((resolve) => child.on("exit", resolve));
  const [out, error] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return { code: await ended, said: out + error };
}
