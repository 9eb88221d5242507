import { randomUUID } from "node:crypto";
import { appendFile, mkdir, readFile } from "node:fs/promises";
import path from "node:path";
import type { Mail } from "./layout";

/*
 * Keeps mails in development: one line of JSON per mail, in a file beside the database, so that
 * they survive a restart, as the accounts do. Only the file's owner may read it, because mails hold
 * links that open accounts. A build does not contain this file: see send.ts and next.config.ts.
 */

export type KeptMail = Mail & { id: string; sentAt: string };

const file = (): string => path.resolve(".data/mailbox.jsonl");

export async function keepMail(mail: Mail): Promise<void> {
  const kept: KeptMail = { id: randomUUID(), ...mail, sentAt: new Date().toISOString() };
  await mkdir(path.dirname(file()), { recursive: true, mode: 0o700 });
  await appendFile(file(), `${JSON.stringify(kept)}\n`, { mode: 0o600 });
}

/** Returns the last 100 mails, newest first. With `to`, only those to that email. */
export async function listMails(to?: string): Promise<KeptMail[]> {
  const content = await readFile(file(), "utf8").catch(() => "");
  const mails: KeptMail[] = content
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));
  return mails
    .reverse()
    .filter((mail) => !to || mail.to === to)
    .slice(0, 100);
}
