import type { Db } from "@/lib/db/client";
import { cleanUpInterval } from "./policy";
import { deleteExpiredSessions } from "./sessions";
import { deleteExpiredSignUps } from "./sign-ups";

/*
 * Owns when dead rows are thrown away. The security fact: nothing depends on it. A row past its end
 * counts for nothing from that moment; this gives the space back. Any number of instances may run
 * it at once.
 */

/** Cleans every hour, for as long as the process lives. A failure is logged and tried again. */
export function startCleanUp(db: () => Db): void {
  const run = () =>
    cleanUp(db).catch((error) => console.error("Clean-up failed, trying again later:", error));
  setInterval(run, cleanUpInterval).unref();
}

async function cleanUp(db: () => Db): Promise<void> {
  await deleteExpiredSessions(db());
  await deleteExpiredSignUps(db());
}
