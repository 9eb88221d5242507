import { startCleanUp } from "./auth/clean-up";
import { database } from "./db/client";
import { EnvError, env } from "./env";
import { recordPeerAddresses } from "./http";

/** What the server does before its first request. Ends the process where the environment is wrong. */
export function boot(): void {
  try {
    env();
  } catch (error) {
    if (!(error instanceof EnvError)) throw error;
    console.error(`\n${error.message}\n`);
    process.exit(1);
  }
  recordPeerAddresses();
  startCleanUp(database);
}
