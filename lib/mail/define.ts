import { z } from "zod";
import type { Db } from "@/lib/db/client";
import { type Block, compose, type Mail } from "./layout";

/*
 * Owns the shape of a mail: its payload (what its job says), its words, and `render`, which decides
 * in a transaction whether the mail is still sent and makes its link. The security facts: a payload
 * holds no secret, since a link is made when the mail is rendered; and words name a path, so that
 * each link of a mail starts with the app's own URL. The mails stand in lib/auth/mails.
 */

/** What a mail says. A block with a `path` is a link into the app. */
export type Words = { subject: string; body: (string | { label: string; path: string })[] };

/** `to` is where the mail goes: the email as it was when the job was added. */
type MailShape = z.ZodRawShape & { to: z.ZodString };

const addressed = z.object({ to: z.string() });

type Payload<Shape extends MailShape> = z.infer<z.ZodObject<Shape>>;

export type MailDefinition<Name extends string, Shape extends MailShape> = {
  name: Name;
  payload: z.ZodObject<Shape>;
  /**
   * The mail of a job's payload, or null where it is not to be sent any more. Call it in a
   * transaction: what it locks must still hold when the link is there. `appUrl` starts every link.
   * Throws on a payload that another version of the product has written.
   */
  render(tx: Db, payload: unknown, appUrl: string): Promise<Mail | null>;
};

/**
 * `render` returns what `words` needs besides the payload, or null where the mail is not to be sent
 * any more. The payload's type follows from its fields.
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

/** What a registry holds, whatever the payload. */
type Renderable = Pick<MailDefinition<string, MailShape>, "name" | "render">;

/** The mail of a job, from the registry that has its name; in a transaction of its own. */
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

/** The `render` of a mail that is sent whatever has become of the account, and has no token. */
export const always = async (): Promise<object> => ({});
