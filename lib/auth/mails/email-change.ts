import { eq } from "drizzle-orm";
import { z } from "zod";
import { createLink } from "@/lib/auth/links";
import { linkPolicy } from "@/lib/auth/policy";
import type { Db } from "@/lib/db/client";
import { users } from "@/lib/db/schema/users";
import { defineMail } from "@/lib/mail/define";
import { product } from "@/lib/product";
import { inWords } from "@/lib/time";
import { lockRecipient, recipient } from "./recipient";

/*
 * Sent to a new email, which becomes the account's when the link is opened and confirmed. Security:
 * the mailbox may be another user's, so the mail contains no words chosen by the user who asked;
 * and a change that ends open links (a new `authVersion`) also ends a request that was not yet
 * mailed.
 */

export const emailChange = defineMail("email-change", {
  payload: { ...recipient, authVersion: z.number() },
  words: (_, { token }: { token: string | null }) =>
    token
      ? {
          subject: "Confirm your new email",
          body: [
            `We received a request to use this email for a ${product.name} account.`,
            `Open this link to confirm. It works once, for ${inWords(linkPolicy.emailChange)}.`,
            { label: "Confirm this email", path: `/change-email/${token}` },
            "If you did not ask for this, there is nothing to do: nothing changes without the link.",
          ],
        }
      : {
          subject: "This email already has an account",
          body: [
            `We received a request to use this email for a ${product.name} account. It already belongs to another account, so nothing has changed.`,
            "To use it, first change the email of the account that has it, or delete that account.",
          ],
        },
  async render(tx, payload) {
    const user = await lockRecipient(tx, payload);
    if (!user || user.authVersion !== payload.authVersion) return null;
    if (await isTaken(tx, payload.to)) return { token: null };
    const link = { userId: user.id, purpose: "email-change", sentTo: payload.to } as const;
    return { token: await createLink(tx, link) };
  },
});

async function isTaken(tx: Db, email: string): Promise<boolean> {
  const rows = await tx.select({ id: users.id }).from(users).where(eq(users.email, email));
  return rows.length > 0;
}
