import { eq } from "drizzle-orm";
import type { Client } from "@/lib/audit";
import type { Db } from "@/lib/db/client";
import { users } from "@/lib/db/schema";
import { deviceName } from "@/lib/device";
import type { MailJob } from "@/lib/jobs";
import * as messages from "@/lib/mail/messages";
import { createLink } from "./links";
import { createSignUp } from "./sign-ups";

/*
 * Owns what a mail job becomes. The security fact: the links are made here, when the mail is
 * written, so no queue ever holds one; and whether an address has an account is looked up here, far
 * from the page that must not tell. A mail that is tried again gets a new link, and the newest works.
 */

/** The mail of a job, or null when there is nobody to send it to any more. `appUrl` starts every link. */
export async function renderMail(
  db: Db,
  job: MailJob,
  appUrl: string,
): Promise<messages.Mail | null> {
  switch (job.mail) {
    case "sign-up": {
      const token = await createSignUp(db, job.to);
      return token
        ? messages.signUpMail(job.to, `${appUrl}/signup/${token}`)
        : messages.accountExistsMail(job.to, `${appUrl}/login`);
    }
    case "password-reset": {
      const user = await findRecipient(db, eq(users.email, job.to));
      if (!user) return null;
      const token = await createLink(db, {
        userId: user.id,
        purpose: "password-reset",
        sentTo: user.email,
      });
      return messages.passwordResetMail(user.email, `${appUrl}/reset-password/${token}`);
    }
    case "password-changed": {
      const user = await findRecipient(db, eq(users.id, job.userId));
      return (
        user && messages.passwordChangedMail(user.email, visit(job), `${appUrl}/forgot-password`)
      );
    }
    case "email-change": {
      const user = await findRecipient(db, eq(users.id, job.userId));
      if (!user) return null;
      if (await findRecipient(db, eq(users.email, job.to))) return messages.emailTakenMail(job.to);
      const token = await createLink(db, {
        userId: user.id,
        purpose: "email-change",
        sentTo: job.to,
      });
      return messages.emailChangeMail(job.to, user.name, `${appUrl}/change-email/${token}`);
    }
    case "email-changed": {
      const user = await findRecipient(db, eq(users.id, job.userId));
      if (!user) return null;
      const token = await createLink(db, {
        userId: user.id,
        purpose: "email-restore",
        sentTo: job.to,
      });
      return messages.emailChangedMail(job.to, visit(job), `${appUrl}/restore-email/${token}`);
    }
    case "new-device": {
      const user = await findRecipient(db, eq(users.id, job.userId));
      if (!user) return null;
      const token = await createLink(db, {
        userId: user.id,
        purpose: "not-me",
        sentTo: user.email,
      });
      return messages.newDeviceMail(user.email, visit(job), `${appUrl}/not-me/${token}`);
    }
    case "farewell":
      return messages.farewellMail(job.to, job.name);
  }
}

function visit({ at, client }: { at: string; client: Client }): messages.Visit {
  return { at: new Date(at), device: deviceName(client.userAgent), ip: client.ip };
}

async function findRecipient(
  db: Db,
  where: ReturnType<typeof eq>,
): Promise<{ id: string; email: string; name: string } | null> {
  const [user] = await db
    .select({ id: users.id, email: users.email, name: users.name })
    .from(users)
    .where(where);
  return user ?? null;
}
