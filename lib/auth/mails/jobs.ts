import type { Db } from "@/lib/db/client";
import { addJob } from "@/lib/jobs";
import { renderJob } from "@/lib/mail/define";
import type { Mail } from "@/lib/mail/layout";
import { type MailJob, type MailName, type MailPayload, mails } from "./registry";

/*
 * Owns the way of a mail through the queue. The security fact: links are made when the worker renders
 * the mail, so no job ever holds one. A mail that is tried again gets a new link, and the newest works.
 */

/** Give it the transaction of the change: then the mail is sent exactly if the change was made. */
export function addMail<Name extends MailName>(
  db: Db,
  mail: Name,
  payload: MailPayload<Name>,
): Promise<void> {
  return addJob(db, "mail", { mail, ...payload });
}

/** The mail of a job, or null where it has no recipient any more. `appUrl` starts every link. */
export function renderMail(db: Db, job: MailJob, appUrl: string): Promise<Mail | null> {
  return renderJob(mails, db, job, appUrl);
}
