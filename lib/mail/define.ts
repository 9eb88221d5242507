import { z } from "zod";
import type { Db } from "@/lib/db/client";
import { type Block, compose, type Mail } from "./layout";

/*
 * Defines what a mail is: its payload (from its job), its words, and `render`, which decides in a
 * transaction whether the mail is still sent, and makes its link. Security: a payload holds no
 * secret, because a link is made when the mail is rendered; and words contain paths, so that each
 * link of a mail starts with the app's own URL. The mails are in lib/auth/mails.
 */

/** The text of a mail. A block with a `path` is a link into the app. */
export type Words = { subject: string; body: (string | { label: string; path: string })[] };

/** `to` is the recipient: the email as it was when the job was added. */
type MailShape = z.ZodRawShape & { to: z.ZodString };

const addressed = z.object({ to: z.string() });

type Payload<Shape extends MailShape> = z.infer<z.ZodObject<Shape>>;

export type MailDefinition<Name extends string, Shape extends MailShape> = {
  name: Name;
  payload: z.ZodObject<Shape>;
  /**
   * Returns the mail of a job's payload, or null if it is no longer to be sent. Call it in a
   * transaction: the rows that it locks must not change before the link is made. `appUrl` starts
   * every link. Throws on a payload of another shape, such as another version of the product wrote.
   */
  render(tx: Db, payload: unknown, appUrl: string): Promise<Mail | null>;
};

/**
 * Defines a mail. `render` returns what `words` needs besides the payload, or null if the mail is
 * no longer to be sent. The payload's type follows from its fields.
 */
export function defineMail<
  const Name extends string,
  Shape extends MailShape,
  Found extends object,
>(
  name: Name,
  mail: {
    payload: Shape;
    words: (payload: Payload<Shape>, found: Found) => Words;
    render: (tx: Db, payload: Payload<Shape>) => Promise<Found | null>;
  },
): MailDefinition<Name, Shape> {
  const schema = z.object(mail.payload);
  return {
    name,
    payload: schema,
    async render(tx, unchecked, appUrl) {
      const payload = schema.parse(unchecked);
      const found = await mail.render(tx, payload);
      if (!found) return null;
      const { subject, body } = mail.words(payload, found);
      const blocks = body.map(
        (block): Block =>
          typeof block === "string" ? block : { label: block.label, link: appUrl + block.path },
      );
      return compose(addressed.parse(unchecked).to, subject, blocks);
    },
  };
}

/** A mail in a registry, with any payload. */
type Renderable = Pick<MailDefinition<string, MailShape>, "name" | "render">;

/**
 * Returns the mail of a job, or null if it is no longer to be sent. Finds it by name in the
 * registry `mails`, and renders it in a transaction of its own.
 */
export async function renderJob(
  mails: readonly Renderable[],
  db: Db,
  job: { mail: string },
  appUrl: string,
): Promise<Mail | null> {
  const mail = mails.find(({ name }) => name === job.mail);
  if (!mail) throw new Error(`No mail is named "${job.mail}": add it to its room's registry.ts.`);
  return db.transaction((tx) => mail.render(tx, job, appUrl));
}

/** The `render` of a mail that has no token and is sent whatever happened to the account since. */
export const always = async (): Promise<object> => ({});
