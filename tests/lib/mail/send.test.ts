import { mkdtemp } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import nodemailer from "nodemailer";
import { generate } from "selfsigned";
import { describe, expect, inject, it } from "vitest";
import { setEnv } from "@/lib/env";
import { compose } from "@/lib/mail/layout";
import { sendMail, withTls } from "@/lib/mail/send";
import { allMails, receivedMail, startSmtpServer } from "@/tests/support/smtp";

const mailWith = (to: string, link: string) =>
  compose(to, "Finish creating your account", [{ label: "Create your account", link }]);

const directory = await mkdtemp(path.join(os.tmpdir(), "latchkey-mail-"));
const file = path.join(directory, "mails.jsonl");
const smtp = await startSmtpServer(file);
// Set before the first mail: the environment is read once, and also requires a database.
setEnv({
  DATABASE_URL: inject("postgres").url,
  SMTP_URL: smtp.url,
  MAIL_FROM: "Latchkey <hello@example.com>",
});

describe("sendMail", () => {
  it("sends text and HTML to the server of SMTP_URL, with the link intact", async () => {
    const link = `https://app.example.com/signup/${"x".repeat(43)}`;
    await sendMail(mailWith("name@example.com", link));
    const mail = await receivedMail(file, "name@example.com");
    expect(mail.subject).toBe("Finish creating your account");
    expect(mail.text).toContain(link);
    expect(mail.html).toContain(`href="${link}"`);
  });

  it("sends only to the given email, for any subject", async () => {
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

  it("throws if the server does not accept the mail", async () => {
    smtp.stop();
    await expect(sendMail(mailWith("late@example.com", "https://x.example"))).rejects.toThrow();
    expect((await allMails(file)).some(({ to }) => to === "late@example.com")).toBe(false);
  });
});

describe("withTls", () => {
  it.each([
    ["smtp://mail.example.com:587", true],
    ["smtp://user:pa%40ss@mail.example.com", true],
    ["smtps://mail.example.com", true],
    ["smtps://mail.example.com?tls=optional", true],
    ["smtps://localhost", true],
    ["smtp://10.0.0.7:25", true],
    ["smtp://localhost.example.com", true],
    ["smtp://127.0.0.1.example.com", true],
    ["smtp://mail.example.com?requireTLS=false&tls.rejectUnauthorized=false&ignoreTLS=true", true],
    ["smtp://mail.example.com?tls=none", true],
    ["smtp://mail.example.com:587?tls=optional", false],
    ["smtp://localhost:1025", false],
    ["smtp://LOCALHOST", false],
    ["smtp://127.0.0.1:25", false],
    ["smtp://[::1]:25", false],
  ])("of %s requires TLS: %s", (url, required) => {
    const { searchParams } = new URL(withTls(url));
    expect(searchParams.getAll("requireTLS")).toEqual([`${required}`]);
    expect(searchParams.getAll("tls.rejectUnauthorized")).toEqual([`${required}`]);
    expect(searchParams.has("tls")).toBe(false);
  });

  it("keeps the rest of the URL", () => {
    expect(withTls("smtp://us%20er:pa%40ss@mail.example.com:587?pool=true&tls=optional")).toMatch(
      /^smtp:\/\/us%20er:pa%40ss@mail\.example\.com:587\?pool=true&/,
    );
  });
});

/* Like mail.example.com, 0.0.0.0 is no loopback host to Latchkey, but it reaches this machine. */
describe("mail to a server beyond loopback", () => {
  it("is not sent to one that offers no TLS", async () => {
    const { send, received } = await remote();
    await expect(send()).rejects.toThrow(/STARTTLS|TLS/);
    expect(await received()).toEqual([]);
  });

  it("is sent in plain text with ?tls=optional", async () => {
    const { send, received } = await remote();
    await send("?tls=optional");
    expect(await received()).toMatchObject([{ secure: false }]);
  });

  it("is not sent to one whose certificate does not verify", async () => {
    const { send, received } = await remote(await certificate());
    await expect(send()).rejects.toThrow(/certificate/);
    expect(await received()).toEqual([]);
  });

  it("is sent over TLS, despite such a certificate, with ?tls=optional", async () => {
    const { send, received } = await remote(await certificate());
    await send("?tls=optional");
    expect(await received()).toMatchObject([{ secure: true }]);
  });

  it("is sent over TLS to one whose certificate verifies", async () => {
    const made = await certificate();
    const { send, received } = await remote(made);
    await send("", { ca: made.cert, servername: "localhost" });
    expect(await received()).toMatchObject([{ secure: true }]);
  });

  it("is sent in plain text if the URL names loopback instead", async () => {
    const { send, received } = await remote();
    await send("", {}, "127.0.0.1");
    expect(await received()).toMatchObject([{ secure: false }]);
  });

  async function remote(certificate?: { key: string; cert: string }) {
    const file = path.join(await mkdtemp(path.join(directory, "remote-")), "mails.jsonl");
    const server = await startSmtpServer(file, 0, certificate);
    return {
      received: async () => {
        await server.stop();
        return allMails(file);
      },
      send: async (query = "", tls = {}, host = "0.0.0.0") => {
        const url = withTls(server.url.replace("127.0.0.1", host) + query);
        const smtp = nodemailer.createTransport({ url, tls });
        await smtp.sendMail({
          ...{ from: "hello@example.com", to: "name@example.com", subject: "Hello", text: "Hello" },
        });
      },
    };
  }

  async function certificate() {
    const name = [{ name: "commonName", value: "localhost" }];
    const { private: key, cert } = await generate(name, { keySize: 2048 });
    return { key, cert };
  }
});
