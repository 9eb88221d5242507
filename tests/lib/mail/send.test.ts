import { mkdtemp } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { describe, expect, inject, it } from "vitest";
import { setEnv } from "@/lib/env";
import { signUpMail } from "@/lib/mail/messages";
import { sendMail } from "@/lib/mail/send";
import { allMails, receivedMail, startSmtpServer } from "@/tests/support/smtp";

const directory = await mkdtemp(path.join(os.tmpdir(), "latchkey-mail-"));
const file = path.join(directory, "mails.jsonl");
const smtp = await startSmtpServer(file);
// Before the first mail: the environment is read once, and wants a database too.
setEnv({
  DATABASE_URL: inject("postgres").url,
  SMTP_URL: smtp.url,
  MAIL_FROM: "Latchkey <hello@example.com>",
});

describe("sendMail", () => {
  it("hands the mail to the server of SMTP_URL, text and HTML, with the link intact", async () => {
    const link = `https://app.example.com/signup/${"x".repeat(43)}`;
    await sendMail(signUpMail("name@example.com", link));
    const mail = await receivedMail(file, "name@example.com");
    expect(mail.subject).toBe("Finish creating your account");
    expect(mail.text).toContain(link);
    expect(mail.html).toContain(`href="${link}"`);
  });

  it("sends to the one address it was given, whatever stands in the subject", async () => {
    const before = (await allMails(file)).length;
    await sendMail({
      to: "one@example.com",
      subject: "Hello\r\nBcc: other@example.com",
      text: "Hello",
      html: "<p>Hello</p>",
    });
    const mails = (await allMails(file)).slice(before);
    expect(mails.map(({ to }) => to)).toEqual(["one@example.com"]);
  });

  it("throws where the server does not take the mail", async () => {
    smtp.stop();
    await expect(sendMail(signUpMail("late@example.com", "https://x.example"))).rejects.toThrow();
    expect((await allMails(file)).some(({ to }) => to === "late@example.com")).toBe(false);
  });
});
