import { fork } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { childEnv } from "@/lib/env";

/* Runs the tests' providers as processes of their own, so that none run in what is tested. */

export type ProviderProcess = {
  /** `http://127.0.0.1:<port>` */
  origin: string;
  /** Sends a message to the process and waits until it confirms. */
  tell(message: object): Promise<void>;
  stop(): Promise<void>;
};

/** Starts a file of this folder, which sends its port as its first message. */
export async function startProviderProcess(file: string): Promise<ProviderProcess> {
  const child = fork(path.join("tests", "support", file), [], {
    execArgv: ["--import", "tsx"],
    env: childEnv(),
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  const [port] = await Promise.race([once(child, "message"), once(child, "exit")]);
  if (typeof port !== "number") throw new Error(`${file} did not start.`);
  return {
    origin: `http://127.0.0.1:${port}`,
    async tell(message) {
      child.send(message);
      await once(child, "message");
    },
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, "exit");
      child.kill("SIGKILL");
      await ended;
    },
  };
}
