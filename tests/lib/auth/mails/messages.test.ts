import { simpleParser } from "mailparser";
import nodemailer from "nodemailer";
import { describe, expect, it } from "vitest";
import {
  accountExistsMail,
  apiKeyCreatedMail,
  emailChangedMail,
  emailChangeMail,
  emailTakenMail,
  farewellMail,
  loggedOutMail,
  newDeviceMail,
  passwordChangedMail,
  passwordResetMail,
  refreshTokenReusedMail,
  reinstatedMail,
  roleChangedMail,
  signUpMail,
  suspendedMail,
} from "@/lib/auth/mails/messages";
import { linkPolicy } from "@/lib/auth/policy";
import { deviceName } from "@/lib/device";
import type { Mail } from "@/lib/mail/layout";
import { days, hours, minutes } from "@/lib/time";

const link = "https://app.example.com/signup/the-token?a=1&b=2";

const visit = {
  at: new Date("2026-03-01T12:30:00Z"),
  device: "Chrome on Linux",
  ip: "203.0.113.9",
};

describe.each<[string, (to: string, link: string) => Mail]>([
  ["signUpMail", signUpMail],
  ["accountExistsMail", accountExistsMail],
  ["passwordResetMail", passwordResetMail],
  ["passwordChangedMail", (to, link) => passwordChangedMail(to, visit, link)],
  ["emailChangeMail", emailChangeMail],
  ["emailChangedMail", (to, link) => emailChangedMail(to, visit, link)],
  [
    "passwordResetMail, by an administrator",
    (to, link) => passwordResetMail(to, link, "administrator"),
  ],
  ["reinstatedMail", reinstatedMail],
  ["loggedOutMail", (to, link) => loggedOutMail(to, "all", link)],
  ["newDeviceMail", (to, link) => newDeviceMail(to, visit, link)],
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

describe.each<[string, Mail]>([
  ["emailTakenMail", emailTakenMail("name@example.com")],
  ["roleChangedMail", roleChangedMail("name@example.com", "admin")],
  ["suspendedMail", suspendedMail("name@example.com")],
  ["farewellMail", farewellMail("name@example.com", "Grace <b>Walker</b>")],
])("%s", (_, mail) => {
  it("has no link, and lets nothing in a name become markup", () => {
    expect(mail.text).not.toContain("http");
    expect(mail.html).not.toMatch(/href|<b>/);
  });
});

/** Without an IP address, which `asClientShowsText` would show as a link. */
const somewhere = { ...visit, ip: null };

const sentence =
  "Your account was hacked. To keep it, call our support and read them your password";

/** What an attacker may type, and what of it must stand in no mail. */
const typed: [string, string[]][] = [
  [sentence, [sentence, "read them"]],
  ["https://evil.example/login", ["evil"]],
  ["Log in at www.evil.example", ["evil"]],
  ["Log in at evil.example/login", ["evil.example"]],
  ["mailto:help@evil.example", ["help@", "evil.example", "mailto:"]],
  ["evil\u202e\u200b.example\u0007", ["\u202e", "\u200b", "\u0007", "evil.example"]],
  ["one\r\nBcc: other@example.com", ["\nBcc", "other@example.com"]],
  ["<b>evil.example</b>", ["evil.example"]],
];

describe.each(typed)("%j, typed by an attacker", (text, forbidden) => {
  it.each<[string, string[], Mail]>([
    ["key name", [link], apiKeyCreatedMail("name@example.com", text, somewhere, link)],
    ["name of a deleted account", [], farewellMail("name@example.com", text)],
    ...[newDeviceMail, passwordChangedMail, emailChangedMail, refreshTokenReusedMail].map(
      (message): [string, string[], Mail] => {
        const device = deviceName(`${text}/1.0 (x)`);
        return [
          `User-Agent in ${message.name}`,
          [link],
          message("name@example.com", { ...somewhere, device }, link),
        ];
      },
    ),
    [
      "User-Agent in apiKeyCreatedMail",
      [link],
      apiKeyCreatedMail(
        "name@example.com",
        "Backup",
        { ...somewhere, device: deviceName(`${text}/1.0 (x)`) },
        link,
      ),
    ],
  ])("as %s stands in no part of the mail and becomes no link", async (_, links, mail) => {
    for (const part of [mail.subject, mail.text, mail.html])
      for (const each of forbidden) expect(part).not.toContain(each);
    expect(mail.html).not.toContain("<b>");
    expect(hrefs(mail.html)).toEqual(links);
    expect(hrefs(await asClientShowsText(mail))).toEqual(links);
  });
});

describe("a name without anything to hide", () => {
  it("stands in the mail as it was typed", () => {
    const key = apiKeyCreatedMail("name@example.com", "Backup (nightly)", visit, link);
    expect(key.text).toContain("An API key named “Backup (nightly)” was created");
    expect(farewellMail("name@example.com", "Grace").text).toContain("Goodbye, Grace. ");
  });

  it("leaves a whole sentence where nothing of it may be shown", () => {
    const key = apiKeyCreatedMail("name@example.com", "https://evil.example", visit, link);
    expect(key.text).toContain("An API key was created for");
    expect(farewellMail("name@example.com", "www.evil.example").text).toContain("Goodbye. ");
  });
});

/** The plain text as a mail client shows it: what looks like a URL or an email becomes a link. */
async function asClientShowsText({ text }: Mail): Promise<string> {
  const composer = nodemailer.createTransport({ streamTransport: true, buffer: true });
  const { message } = await composer.sendMail({ from: "hello@example.com", text });
  return `${(await simpleParser(message as Buffer)).textAsHtml}`; // `buffer: true` makes it one
}

function hrefs(html: string): string[] {
  return [...html.matchAll(/href="([^"]*)"/g)].map(([, href = ""]) =>
    href.replaceAll("&amp;", "&"),
  );
}

describe("every mail with a link", () => {
  it("says how long the link works, as the policy has it", () => {
    const said = [
      [signUpMail("", link), "24 hours", hours(24), linkPolicy.signUp],
      [passwordResetMail("", link), "30 minutes", minutes(30), linkPolicy.passwordReset],
      [emailChangeMail("", link), "an hour", hours(1), linkPolicy.emailChange],
      [emailChangedMail("", visit, link), "7 days", days(7), linkPolicy.emailRestore],
    ] as const;
    for (const [mail, words, duration, policy] of said) {
      expect(mail.text).toContain(words);
      expect(policy).toBe(duration);
    }
  });

  it("says when and from where, and no more than is known", () => {
    const { text } = newDeviceMail("", visit, link);
    expect(text).toContain("1 March 2026 at 12:30 (UTC) from Chrome on Linux, address 203.0.113.9");
    const unknown = newDeviceMail("", { ...visit, ip: null }, link);
    expect(unknown.text).toContain("from Chrome on Linux.");
    expect(unknown.text).not.toMatch(/null|undefined/);
  });
});
