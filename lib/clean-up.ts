import { deleteExpiredEvents } from "@/lib/audit";
import { deleteSpentChallenges } from "@/lib/auth/credentials/passkeys";
import { deleteExpiredApps } from "@/lib/auth/credentials/two-factor";
import { deleteExpiredLinks } from "@/lib/auth/links";
import { deleteExpiredLogInAttempts } from "@/lib/auth/login/attempts";
import { deleteExpiredPendingLogins } from "@/lib/auth/login/pending-logins";
import { deleteExpiredVisits } from "@/lib/auth/login/provider-visits";
import { auditRetention, givenUpJobRetention } from "@/lib/auth/policy";
import { deleteExpiredSessions, deleteIdleSessions } from "@/lib/auth/sessions/end";
import { deleteExpiredSignUps } from "@/lib/auth/sign-up-links";
import { deleteExpiredApiKeys } from "@/lib/auth/tokens/api-keys";
import { deleteExpiredRefreshTokens } from "@/lib/auth/tokens/refresh";
import { deleteOldEvents } from "@/lib/billing/events";
import type { Db } from "@/lib/db/client";
import { deleteExpiredInvitations } from "@/lib/teams/invitations";
import { deleteGivenUpJobs } from "./jobs";
import { deleteExpiredLimits } from "./rate-limits";
import { deleteExpiredTeamKeys } from "./teams/keys";

/*
 * Deletes expired rows; worker.ts runs these functions. Security: nothing depends on them. A row
 * has no effect from the moment it expires, and deleting it only frees the space. Any number of
 * instances may run them at once.
 */

/** Runs hourly. Each call is one DELETE that an index serves. */
export async function cleanUp(db: Db): Promise<void> {
  await deleteExpiredSessions(db);
  await deleteExpiredRefreshTokens(db);
  await deleteExpiredSignUps(db);
  await deleteExpiredLinks(db);
  await deleteExpiredLimits(db);
  await deleteExpiredLogInAttempts(db);
  await deleteExpiredPendingLogins(db);
  await deleteExpiredApps(db);
  await deleteSpentChallenges(db);
  await deleteExpiredVisits(db);
  await deleteExpiredInvitations(db);
}

/** Runs nightly. Reads whole tables, because indexes would slow down the writes of the day. */
export async function cleanUpNightly(db: Db): Promise<void> {
  await deleteIdleSessions(db);
  await deleteExpiredApiKeys(db);
  await deleteExpiredTeamKeys(db);
  await deleteExpiredEvents(db, auditRetention);
  await deleteOldEvents(db);
  await deleteGivenUpJobs(db, givenUpJobRetention);
}
