import type { Db } from "@/lib/db/client";
import { addJob } from "@/lib/jobs";
import { renderJob } from "@/lib/mail/define";
import type { Mail } from "@/lib/mail/layout";
import { type TeamMailJob, type TeamMailName, type TeamMailPayload, teamMails } from "./registry";

/*
 * Owns the way of a team's mail through the queue, as lib/auth/mails/jobs.ts does for an account's. The
 * security fact: links are made when the worker renders the mail, so no job ever holds one.
 */

/** Give it the transaction of the change: then the mail is sent exactly if the change was made. */
export function addTeamMail<Name extends TeamMailName>(
  db: Db,
  mail: Name,
  payload: TeamMailPayload<Name>,
): Promise<void> {
  return addJob(db, "team-mail", { mail, ...payload });
}

/** The mail of a job, or null where it has no recipient any more. `appUrl` starts every link. */
export function renderTeamMail(db: Db, job: TeamMailJob, appUrl: string): Promise<Mail | null> {
  return renderJob(teamMails, db, job, appUrl);
}
