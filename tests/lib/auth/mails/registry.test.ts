import { randomUUID } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { operator, suspend } from "@/lib/admin/actions";
import { renderMail } from "@/lib/auth/mails/jobs";
import { type MailJob, mails } from "@/lib/auth/mails/registry";
import type { Mail } from "@/lib/mail/layout";
import { product } from "@/lib/product";
import { db, sql } from "@/tests/support/database";
import {
  hrefs,
  received,
  sampleJobs,
  textAsHtml,
  tokenIn,
  typedByAttackers,
} from "@/tests/support/mails";
import { linkPurposes, wholeDatabase } from "@/tests/support/rows";
import { createUser, type TestUser } from "@/tests/support/users";

/* Checks every mail of the registry, so that a new mail is tested without adding a line. */

const folder = "lib/auth/mails";
const appUrl = "https://app.example.com";
const support = `mailto:${product.supportEmail}`;

/** Returns all variants of a mail about this user: to their email, a new one and another user's. */
async function jobsOf(
  mail: (typeof mails)[number],
  user: TestUser,
  typed = "Backup",
): Promise<MailJob[]> {
  const emails = [user.email, `${randomUUID()}@example.com`, (await createUser(db)).email];
  return emails.flatMap((to) => sampleJobs(mail, { userId: user.id, to, typed }));
}

async function rendered(jobs: MailJob[]): Promise<Mail[]> {
  const found: Mail[] = [];
  for (const job of jobs) {
    const mail = await renderMail(db, job, appUrl);
    if (mail) found.push(mail);
  }
  return found;
}

/** Returns every variant that is sent to an active user. */
async function variantsOf(mail: (typeof mails)[number], typed?: string): Promise<Mail[]> {
  const sent = await rendered(await jobsOf(mail, await createUser(db), typed));
  expect(sent.length).toBeGreaterThan(0);
  return sent;
}

describe("mails", () => {
  it("contains the definition of every file, under the name of its file", () => {
    const defining = readdirSync(folder)
      .filter((file) => /= defineMail\(/.test(readFileSync(`${folder}/${file}`, "utf8")))
      .map((file) => file.replace(/\.ts$/, ""));
    expect(mails.map(({ name }) => name).sort()).toEqual(defining.sort());
  });
});

describe.each(mails.map((mail) => [mail.name, mail] as const))("%s", (_, mail) => {
  it("is sent to the payload's email, with a subject of one line", async () => {
    const user = await createUser(db);
    for (const job of await jobsOf(mail, user)) {
      const sent = await renderMail(db, job, appUrl);
      if (!sent) continue;
      expect(sent.to).toBe(job.to);
      expect(sent.subject).toMatch(/^[^\r\n]{5,70}$/);
    }
  });

  it("contains the same links in both parts, each to the app and on a separate line", async () => {
    for (const { text, html } of await variantsOf(mail)) {
      const links = hrefs(html);
      expect(text.match(/https?:\/\/\S+/g) ?? []).toEqual(links);
      expect(links.length).toBeLessThanOrEqual(1);
      for (const link of links) {
        expect(link.startsWith(`${appUrl}/`)).toBe(true);
        expect(text.split("\n")).toContain(link);
      }
    }
  });

  it("has the same text in both parts, and names the product", async () => {
    for (const { text, html } of await variantsOf(mail)) {
      const unescaped = html.replaceAll("&quot;", '"').replaceAll("&gt;", ">");
      const readable = unescaped.replaceAll("&lt;", "<").replaceAll("&amp;", "&");
      for (const block of text.split("\n\n")) expect(readable).toContain(block.trim());
      expect(text).toContain(product.name);
      expect(text).not.toMatch(/undefined|null|NaN|\[object/);
    }
  });

  it("loads nothing from anywhere: no image, no style sheet, no script", async () => {
    for (const { html } of await variantsOf(mail))
      expect(html).not.toMatch(/<(img|link|script|iframe|style)|url\(|@import|\bsrc=/i);
  });

  it("passes through a mail server unchanged", async () => {
    for (const sent of await variantsOf(mail)) {
      const { subject, text, html } = await received(sent);
      expect(subject).toBe(sent.subject);
      expect(text?.trim()).toBe(sent.text.trim());
      expect(`${html}`.trim()).toBe(sent.html);
    }
  });

  it("contains no email but the support's, and no name but its payload's", async () => {
    const user = await createUser(db, { name: "Grace Walker" });
    for (const { subject, text, html } of await rendered(await jobsOf(mail, user))) {
      const emails = `${subject} ${text} ${html}`.match(/[\w.+-]+@[\w.-]+\w/g) ?? [];
      expect(emails.filter((email) => email !== product.supportEmail)).toEqual([]);
      expect(`${subject} ${text}`).not.toContain("Grace");
    }
  });

  it.each(typedByAttackers)("shows no part of %j and makes no link of it", async (typed, parts) => {
    for (const sent of await variantsOf(mail, typed)) {
      for (const part of [sent.subject, sent.text, sent.html])
        for (const forbidden of parts) expect(part).not.toContain(forbidden);
      expect(sent.html).not.toMatch(/<b[ >]/);
      const shown = hrefs(await textAsHtml(sent)).filter((link) => link !== support);
      expect(shown).toEqual(hrefs(sent.html));
    }
  });

  it("stores only the SHA-256 of the link that it makes", async () => {
    const sent = await variantsOf(mail);
    const stored = await wholeDatabase();
    for (const each of sent) {
      const token = tokenIn(each);
      if (token) expect(stored).not.toContain(token);
    }
  });

  it("makes no link for a user who was suspended while it waited", async () => {
    const user = await createUser(db);
    const jobs = (await jobsOf(mail, user)).filter(
      (job) => "userId" in job || job.to === user.email,
    );
    await suspend(db, operator, user.id, "Test.");
    for (const sent of await rendered(jobs)) expect(tokenIn(sent)).toBeUndefined();
    expect(await linkPurposes(user)).toEqual([]);
  });

  it("makes no link for a user who was deleted while it waited", async () => {
    const user = await createUser(db);
    const jobs = (await jobsOf(mail, user)).filter((job) => "userId" in job);
    await sql`delete from users where id = ${user.id}`;
    for (const sent of await rendered(jobs)) expect(tokenIn(sent)).toBeUndefined();
  });

  it("is not rendered from a payload that lacks a field", async () => {
    const job = { mail: mail.name } as MailJob; // as another version may have written it
    await expect(renderMail(db, job, appUrl)).rejects.toThrow(/expected string/);
  });
});
