import { and, eq, gt, inArray, type SQL } from "drizzle-orm";
import type { AuditKind, Client } from "@/lib/audit";
import { createLink } from "@/lib/auth/links";
import { createSignUp } from "@/lib/auth/sign-up-links";
import type { Db } from "@/lib/db/client";
import { auditEvents } from "@/lib/db/schema/audit-events";
import { users } from "@/lib/db/schema/users";
import { deviceName } from "@/lib/device";
import type { MailJob } from "@/lib/jobs";
import type { Mail } from "@/lib/mail/layout";
import * as messages from "./messages";

/*
 * Owns what a mail job becomes. The security fact: the links are made here, when the mail is
 * written, so no queue ever holds one; and whether an address has an account is looked up here, far
 * from the page that must not tell. A mail that is tried again gets a new link, and the newest works.
 */

/** The mail of a job, or null when there is nobody to send it to any more. `appUrl` starts every link. */
export function renderMail(db: Db, job: MailJob, appUrl: string): Promise<Mail | null> {
  return db.transaction((tx) => write(tx, job, appUrl));
}

async function write(tx: Db, job: MailJob, appUrl: string): Promise<Mail | null> {
  switch (job.mail) {
    case "sign-up": {
      const token = await createSignUp(tx, job.to);
      return token
        ? messages.signUpMail(job.to, `${appUrl}/signup/${token}`)
        : messages.accountExistsMail(job.to, `${appUrl}/login`);
    }
    case "password-reset": {
      const user = await lockRecipient(tx, eq(users.email, job.to));
      // A link made now would open the account as soon as it is reinstated.
      if (user?.status !== "active") return null;
      const token = await createLink(tx, {
        userId: user.id,
        purpose: "password-reset",
        sentTo: user.email,
      });
      return messages.passwordResetMail(user.email, `${appUrl}/reset-password/${token}`, job.by);
    }
    case "confirm-browser": {
      const user = await lockRecipient(tx, eq(users.email, job.to));
      if (user?.status !== "active") return null;
      const token = await createLink(tx, {
        userId: user.id,
        purpose: "confirm-browser",
        sentTo: user.email,
      });
      return messages.confirmBrowserMail(user.email, `${appUrl}/confirm-browser/${token}`);
    }
    case "password-changed": {
      const user = await lockRecipient(tx, eq(users.id, job.userId));
      return user && messages.passwordChangedMail(job.to, visit(job), `${appUrl}/forgot-password`);
    }
    case "email-change": {
      const user = await lockRecipient(tx, eq(users.id, job.userId));
      // What ends open links ends one that was asked for and not yet mailed, too.
      if (!user || user.authVersion !== job.authVersion) return null;
      if (await isTaken(tx, job.to)) return messages.emailTakenMail(job.to);
      const token = await createLink(tx, {
        userId: user.id,
        purpose: "email-change",
        sentTo: job.to,
      });
      return messages.emailChangeMail(job.to, `${appUrl}/change-email/${token}`);
    }
    case "email-changed": {
      const user = await lockRecipient(tx, eq(users.id, job.userId));
      // The owner took it back already, and whoever has `to` must not undo that; or the account was
      // suspended, which ends these links.
      if (!user || (await wasOvertaken(tx, job))) return null;
      const token = await createLink(tx, {
        userId: user.id,
        purpose: "email-restore",
        sentTo: job.to,
      });
      return messages.emailChangedMail(job.to, visit(job), `${appUrl}/restore-email/${token}`);
    }
    case "new-device": {
      const user = await lockRecipient(tx, eq(users.id, job.userId));
      // As above: the login may be the attacker's, at the email that the owner has taken back.
      if (user?.status !== "active" || (await wasOvertaken(tx, job))) return null;
      const token = await createLink(tx, {
        userId: user.id,
        purpose: "not-me",
        sentTo: job.to,
      });
      return messages.newDeviceMail(job.to, visit(job), `${appUrl}/not-me/${token}`);
    }
    case "api-key-created": {
      const user = await lockRecipient(tx, eq(users.id, job.userId));
      const page = `${appUrl}/settings/api-keys`;
      return user && messages.apiKeyCreatedMail(job.to, job.key, visit(job), page);
    }
    case "refresh-token-reused": {
      const user = await lockRecipient(tx, eq(users.id, job.userId));
      return (
        user && messages.refreshTokenReusedMail(job.to, visit(job), `${appUrl}/forgot-password`)
      );
    }
    case "role-changed":
      return messages.roleChangedMail(job.to, job.role);
    case "suspended":
      return messages.suspendedMail(job.to);
    case "reinstated":
      return messages.reinstatedMail(job.to, `${appUrl}/login`);
    case "logged-out":
      return messages.loggedOutMail(job.to, job.devices, `${appUrl}/login`);
    case "farewell":
      return messages.farewellMail(job.to, job.name);
  }
}

function visit({ at, client }: { at: string; client: Client }): messages.Visit {
  return { at: new Date(at), device: deviceName(client.userAgent), ip: client.ip };
}

/** Locked, so that what is decided by the row still holds when the link is there. */
async function lockRecipient(
  tx: Db,
  where: SQL,
): Promise<{
  id: string;
  email: string;
  name: string;
  status: "active" | "suspended";
  authVersion: number;
} | null> {
  const [user] = await tx
    .select({
      id: users.id,
      email: users.email,
      name: users.name,
      status: users.status,
      authVersion: users.authVersion,
    })
    .from(users)
    .where(where)
    .for("no key update");
  return user ?? null;
}

async function isTaken(tx: Db, email: string): Promise<boolean> {
  const rows = await tx.select({ id: users.id }).from(users).where(eq(users.email, email));
  return rows.length > 0;
}

async function wasOvertaken(
  tx: Db,
  { userId, event }: { userId: string; event: number },
): Promise<boolean> {
  const overtaking: AuditKind[] = ["email-restored", "suspended"];
  const rows = await tx
    .select({ id: auditEvents.id })
    .from(auditEvents)
    .where(
      and(
        eq(auditEvents.userId, userId),
        inArray(auditEvents.kind, overtaking),
        gt(auditEvents.id, event),
      ),
    )
    .limit(1);
  return rows.length > 0;
}
