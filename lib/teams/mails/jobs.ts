import type { Db } from "@/lib/db/client";
import { addJob } from "@/lib/jobs";
import { renderJob } from "@/lib/mail/define";
import type { Mail } from "@/lib/mail/layout";
import { type TeamMailJob, type TeamMailName, type TeamMailPayload, teamMails } from "./registry";

/*
 * Adds a team's mails to the queue and renders them, as lib/auth/mails/jobs.ts does for an
 * account's. Security: links are created when the worker renders the mail, so no job contains one.
 */

/** Pass the transaction of the change, so that the mail is sent only if the change commits. */
export function addTeamMail<Name extends TeamMailName>(
  db: Db,
  mail: Name,
  payload: TeamMailPayload<Name>,
): Promise<void> {
  return addJob(db, "team-mail", { mail, ...payload });
}

/** Returns the mail of a job, or null if it has no recipient now. `appUrl` starts every link. */
export function renderTeamMail(db: Db, job: TeamMailJob, appUrl: string): Promise<Mail | null> {
  return renderJob(teamMails, db, job, appUrl);
}
