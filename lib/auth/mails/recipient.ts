import { eq, type SQL } from "drizzle-orm";
import { z } from "zod";
import type { Db } from "@/lib/db/client";
import { users } from "@/lib/db/schema/users";

/*
 * Owns who a mail goes to. The security facts: `to` is the email as it was when the thing happened,
 * because an attacker who changes the email while the mail waits must not get the owner's warning;
 * and whether an email has an account is looked up here, not in the request that must not tell.
 */

/** The payload of a mail to an email that may have no account. */
export const mailbox = { to: z.string() };

/** The payload of a mail about a user. `userId` lets the deletion of an account delete the job. */
export const recipient = { userId: z.string(), ...mailbox };

export type Recipient = {
  id: string;
  email: string;
  status: "active" | "suspended";
  authVersion: number;
};

/** Locked, so that what is decided by the row still holds when the link is there. */
export function lockRecipient(tx: Db, payload: { userId: string }): Promise<Recipient | null> {
  return lockUser(tx, eq(users.id, payload.userId));
}

/** As `lockRecipient`, for a payload that names an email alone. */
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
