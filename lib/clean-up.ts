import { deleteExpiredEvents } from "@/lib/audit";
import type { Db } from "@/lib/db/client";
import { deleteGivenUpJobs } from "@/lib/jobs";
import { deleteExpiredLimits } from "@/lib/limits";
import { deleteExpiredApiKeys } from "./api-keys";
import { deleteExpiredLinks } from "./links";
import { deleteExpiredLogInAttempts } from "./login-attempts";
import { auditRetention, givenUpJobRetention } from "./policy";
import { deleteExpiredRefreshTokens } from "./refresh";
import { deleteExpiredSessions, deleteIdleSessions } from "./sessions";
import { deleteExpiredSignUps } from "./sign-ups";

/*
 * Owns what is thrown away, and how often: worker.ts runs these. The security fact: nothing depends
 * on it. A row past its end counts for nothing from that moment; this gives the space back. Any
 * number of instances may run it at once.
 */

/** Hourly: each is one DELETE that an index serves. */
export async function cleanUp(db: Db): Promise<void> {
  await deleteExpiredSessions(db);
  await deleteExpiredRefreshTokens(db);
  await deleteExpiredSignUps(db);
  await deleteExpiredLinks(db);
  await deleteExpiredLimits(db);
  await deleteExpiredLogInAttempts(db);
}

/** Nightly: reads whole tables, because no index may slow the writes of the day. */
export async function cleanUpNightly(db: Db): Promise<void> {
  await deleteIdleSessions(db);
  await deleteExpiredApiKeys(db);
  await deleteExpiredEvents(db, auditRetention);
  await deleteGivenUpJobs(db, givenUpJobRetention);
}
