import { type ParsedMail, simpleParser } from "mailparser";
import nodemailer from "nodemailer";
import { z } from "zod";
import type { MailJob } from "@/lib/auth/mails/registry";
import type { Mail } from "@/lib/mail/layout";

/*
 * Sample jobs for every mail, generated from the fields of its payload, so that a new mail is
 * tested without adding a line. Also renders mails as a mail client would.
 */

/**
 * The values in the samples. `typed` is the value of every text that a user or client chooses.
 * `fields` gives values by field name, for texts that they do not choose.
 */
export type Subject = {
  userId: string;
  to: string;
  typed: string;
  fields?: Record<string, string>;
};

/** Texts that an attacker may type, each with the parts that no mail may contain. */
export const typedByAttackers: [string, string[]][] = [
  [
    "Your account was hacked. To keep it, call our support and read them your password",
    ["call our support", "read them"],
  ],
  ["https://evil.example/login", ["evil"]],
  ["Log in at www.evil.example", ["evil"]],
  ["Log in at evil.example/login", ["evil.example"]],
  ["mailto:help@evil.example", ["help@", "evil.example", "mailto:help"]],
  ["evil\u202e\u200b.example\u0007", ["\u202e", "\u200b", "\u0007", "evil.example"]],
  ["one\r\nBcc: other@example.com", ["\nBcc", "other@example.com"]],
  ['<b title="x">evil.example</b>', ["evil.example"]],
];

/** Returns one job per combination of enum values, booleans and optional fields of the payload. */
export function sampleJobs<Job = MailJob>(
  mail: { name: string; payload: z.ZodObject },
  subject: Subject,
): Job[] {
  const fields = Object.entries(mail.payload.shape);
  const payloads = fields.reduce<Record<string, unknown>[]>(
    (made, [name, field]) =>
      made.flatMap((each) =>
        samples(name, field, subject).map((value) => ({ ...each, [name]: value })),
      ),
    [{ mail: mail.name }],
  );
  return payloads as Job[]; // `payload` describes the fields of these jobs
}

function samples(name: string, field: unknown, subject: Subject): unknown[] {
  const userAgent = `${subject.typed}/1.0 (x)`;
  // No IP address: a mail client would show it as a link.
  const { fields, ...about } = subject;
  const known = {
    ...about,
    ...fields,
    at: "2026-03-01T12:30:00.000Z",
    until: "2026-03-15T12:30:00.000Z",
    client: { ip: null, userAgent },
  };
  const { typed: _, ...meaning } = {
    ...{ ...known, event: 0, authVersion: 1 },
    browserHash: Buffer.alloc(32).toString("base64url"),
  };
  if (name in meaning) return [meaning[name as keyof typeof meaning]]; // `in` has checked the name
  if (field instanceof z.ZodOptional) return [undefined, ...samples(name, field.unwrap(), subject)];
  if (field instanceof z.ZodNullable) return [null, ...samples(name, field.unwrap(), subject)];
  if (field instanceof z.ZodEnum) return field.options;
  if (field instanceof z.ZodLiteral) return [...field.values];
  if (field instanceof z.ZodBoolean) return [true, false];
  if (field instanceof z.ZodNumber) return [3];
  if (field instanceof z.ZodObject) {
    const parts = Object.entries(field.shape);
    return [Object.fromEntries(parts.map(([part, of]) => [part, samples(part, of, subject)[0]]))];
  }
  if (field instanceof z.ZodString) return [subject.typed];
  throw new Error(`Add to samples() in tests/support/mails.ts what the field "${name}" may be.`);
}

/** Returns the mail as the recipient's server receives it. */
export async function received(mail: Mail): Promise<ParsedMail> {
  const composer = nodemailer.createTransport({ streamTransport: true, buffer: true });
  const { message } = await composer.sendMail({ from: "hello@example.com", ...mail });
  return simpleParser(message as Buffer); // a Buffer because of `buffer: true`
}

/** Returns the plain text as a mail client shows it: URLs and emails become links. */
export async function textAsHtml({ to, subject, text }: Mail): Promise<string> {
  return `${(await received({ to, subject, text, html: "" })).textAsHtml}`;
}

export function hrefs(html: string): string[] {
  return [...html.matchAll(/href="([^"]*)"/g)].map(([, href = ""]) =>
    href.replaceAll("&amp;", "&"),
  );
}

/** The token of the mail's link, or undefined. */
export const tokenIn = (mail: Mail | null): string | undefined =>
  /\/([\w-]{43})$/m.exec(`${mail?.text}`)?.[1];
