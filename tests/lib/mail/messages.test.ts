import { simpleParser } from "mailparser";
import nodemailer from "nodemailer";
import { describe, expect, it } from "vitest";
import { accountExistsMail, type Mail, signUpMail } from "@/lib/mail/messages";

const link = "https://app.example.com/signup/the-token?a=1&b=2";

describe.each<[string, (to: string, link: string) => Mail]>([
  ["signUpMail", signUpMail],
  ["accountExistsMail", accountExistsMail],
])("%s", (_, message) => {
  const mail = message("name@example.com", link);

  it("goes to the address, under a subject of one line", () => {
    expect(mail.to).toBe("name@example.com");
    expect(mail.subject).toMatch(/^[^\r\n]{5,70}$/);
  });

  it("has the link on a line of its own in the text", () => {
    expect(mail.text.split("\n")).toContain(link);
  });

  it("has it as the only link of the HTML", () => {
    expect([...mail.html.matchAll(/href="([^"]*)"/g)].map(([, href]) => href)).toEqual([
      link.replaceAll("&", "&amp;"),
    ]);
  });

  it("loads nothing from anywhere: no image, no style sheet, no script", () => {
    expect(mail.html).not.toMatch(/<(img|link|script|iframe|style)|url\(|@import|\bsrc=/i);
  });

  it("lets nothing in a link become markup", () => {
    const { html } = message("name@example.com", `${link}"><img src=x onerror=alert(1)>'`);
    expect(html).not.toContain("<img");
    expect(html.match(/"/g)?.length).toBe(mail.html.match(/"/g)?.length);
  });

  it("says the same in both, so that neither reader misses anything", () => {
    const inHtml = mail.html.replaceAll("&amp;", "&");
    for (const line of mail.text.split("\n\n")) expect(inHtml).toContain(line.trim());
  });

  it("survives the way through a mail server", async () => {
    const composer = nodemailer.createTransport({ streamTransport: true, buffer: true });
    const { message: raw } = await composer.sendMail({ from: "hello@example.com", ...mail });
    const received = await simpleParser(raw as Buffer); // `buffer: true` makes it one
    expect(received.subject).toBe(mail.subject);
    expect(received.text?.trim()).toBe(mail.text.trim());
    expect(`${received.html}`.trim()).toBe(mail.html);
  });
});
