import type { Db } from "@/lib/db/client";
import { addJob } from "@/lib/jobs";
import { renderJob } from "@/lib/mail/define";
import type { Mail } from "@/lib/mail/layout";
import { type MailJob, type MailName, type MailPayload, mails } from "./registry";

/*
 * Adds mails to the queue and renders them. Security: links are made when the worker renders the
 * mail, so no job ever holds one. A mail that is retried gets a new link, and the newest works.
 */

/**
 * Adds a mail to the queue. Pass the transaction that makes the change, so that the mail is queued
 * if and only if the change commits.
 */
export function addMail<Name extends MailName>(
  db: Db,
  mail: Name,
  payload: MailPayload<Name>,
): Promise<void> {
  return addJob(db, "mail", { mail, ...payload });
}

/** Returns the mail of a job, or null if it is no longer to be sent. `appUrl` starts every link. */
export function renderMail(db: Db, job: MailJob, appUrl: string): Promise<Mail | null> {
  return renderJob(mails, db, job, appUrl);
}
