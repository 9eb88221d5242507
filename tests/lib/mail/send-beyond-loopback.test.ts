import { mkdtemp } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { expect, inject, it } from "vitest";
import { setEnv } from "@/lib/env";
import { sendMail } from "@/lib/mail/send";
import { allMails, startSmtpServer } from "@/tests/support/smtp";

/* In a file of its own, because a process reads SMTP_URL once. */

const file = path.join(await mkdtemp(path.join(os.tmpdir(), "latchkey-mail-")), "mails.jsonl");
const smtp = await startSmtpServer(file);
setEnv({
  DATABASE_URL: inject("postgres").url,
  // Like mail.example.com, it is no loopback host to Latchkey, but it reaches this machine.
  SMTP_URL: smtp.url.replace("127.0.0.1", "0.0.0.0"),
  MAIL_FROM: "Latchkey <hello@example.com>",
});

it("sendMail sends nothing to a server that offers no TLS", async () => {
  const mail = { to: "name@example.com", subject: "Hello", text: "Hello", html: "<p>Hello</p>" };
  await expect(sendMail(mail)).rejects.toThrow(/STARTTLS|TLS/);
  await smtp.stop();
  expect(await allMails(file)).toEqual([]);
});
