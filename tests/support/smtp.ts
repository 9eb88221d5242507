import { appendFile, readFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { simpleParser } from "mailparser";
import { SMTPServer } from "smtp-server";
import { minutes } from "@/lib/time";

/**
 * Starts a real mail server that appends each mail to a file as a line of JSON, for any process to
 * read. Pass `port` to start it again on the same port. With a certificate it offers STARTTLS and
 * records whether a mail came over TLS; without one it speaks only plain text.
 */
export async function startSmtpServer(
  file: string,
  port = 0,
  certificate?: { key: string; cert: string },
): Promise<{ url: string; stop(): Promise<void> }> {
  const server = new SMTPServer({
    authOptional: true,
    disableReverseLookup: true,
    disabledCommands: certificate ? ["AUTH"] : ["STARTTLS", "AUTH"],
    ...certificate,
    onData(stream, { secure }, callback) {
      simpleParser(stream)
        .then(({ to, subject, text, html }) => {
          const address = Array.isArray(to) ? to[0] : to;
          const mail = { to: address?.text, subject, text, html, secure };
          return appendFile(file, `${JSON.stringify(mail)}\n`);
        })
        .then(() => callback(), callback);
    },
  });
  server.on("error", () => {}); // an app may be stopped in the middle of a mail
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  // A listening TCP server's address is never a string or null.
  const address = server.server.address() as AddressInfo;
  return {
    url: `smtp://127.0.0.1:${address.port}`,
    stop: () => new Promise((resolve) => server.close(resolve)),
  };
}

export type ReceivedMail = {
  to: string;
  subject: string;
  text: string;
  html: string;
  /** Whether it came over TLS. */
  secure: boolean;
};

/** Returns the newest mail to this email. Waits up to a minute for it to arrive. */
export async function receivedMail(file: string, to: string): Promise<ReceivedMail> {
  const deadline = Date.now() + minutes(1);
  while (Date.now() < deadline) {
    const mail = (await allMails(file)).findLast((each) => each.to === to);
    if (mail) return mail;
    await sleep(50);
  }
  throw new Error(`No mail to ${to} within a minute.`);
}

export async function allMails(file: string): Promise<ReceivedMail[]> {
  const content = await readFile(file, "utf8").catch(() => "");
  return content
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));
}
