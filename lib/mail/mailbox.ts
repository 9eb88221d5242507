import { randomUUID } from "node:crypto";
import { appendFile, mkdir, readFile } from "node:fs/promises";
import path from "node:path";
import type { Mail } from "./layout";

/*
 * Development's mail: a line of JSON per mail, in a file beside the database, so that it survives a
 * restart as the accounts do. Only its owner may read it, since mails hold links that open accounts. A build does not contain this file: see send.ts and next.config.ts.
 */

export type KeptMail = Mail & { id: string; sentAt: string };

const file = (): string => path.resolve(".data/mailbox.jsonl");

export async function keepMail(mail: Mail): Promise<void> {
  const kept: KeptMail = { id: randomUUID(), ...mail, sentAt: new Date().toISOString() };
  await mkdir(path.dirname(file()), { recursive: true, mode: 0o700 });
  await appendFile(file(), `${JSON.stringify(kept)}\n`, { mode: 0o600 });
}

/** Newest first, the last 100. `to` keeps those to one email. */
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
