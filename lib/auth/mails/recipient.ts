import { eq, type SQL } from "drizzle-orm";
import { z } from "zod";
import type { Db } from "@/lib/db/client";
import { users } from "@/lib/db/schema/users";

/*
 * Decides who a mail is sent to. Security: `to` is the email at the time of the event, because an
 * attacker who changes the email while the mail waits must not get the owner's warning; and whether
 * an email has an account is looked up here, not in the request, whose response must not reveal it.
 */

/** The payload of a mail to an email that may have no account. */
export const mailbox = { to: z.string() };

/** The payload of a mail about a user. With `userId`, the deletion of an account finds the job. */
export const recipient = { userId: z.string(), ...mailbox };

export type Recipient = {
  id: string;
  email: string;
  status: "active" | "suspended";
  authVersion: number;
};

/** Locks and returns the user, so that decisions by the row still hold when the link is made. */
export function lockRecipient(tx: Db, payload: { userId: string }): Promise<Recipient | null> {
  return lockUser(tx, eq(users.id, payload.userId));
}

/** Like `lockRecipient`, for a payload that names only an email. */
export function lockRecipientByEmail(tx: Db, payload: { to: string }): Promise<Recipient | null> {
  return lockUser(tx, eq(users.email, payload.to));
}

async function lockUser(tx: Db, where: SQL): Promise<Recipient | null> {
  const [user] = await tx
    .select({
      id: users.id,
      email: users.email,
      status: users.status,
      authVersion: users.authVersion,
    })
    .from(users)
    .where(where)
    .for("no key update");
  return user ?? null;
}
