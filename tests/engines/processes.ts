import type { ChildProcess } from "node:child_process";
import { once } from "node:events";

/** Ends a process that the tests started, and waits for its exit. */
export async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill();
  await ended;
}
