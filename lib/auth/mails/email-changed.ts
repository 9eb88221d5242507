import { createLink } from "@/lib/auth/links";
import { linkPolicy } from "@/lib/auth/policy";
import { defineMail } from "@/lib/mail/define";
import { product } from "@/lib/product";
import { inWords } from "@/lib/time";
import { auditEvent, wasOvertaken } from "./overtaking-events";
import { lockRecipient, recipient } from "./recipient";
import { describeVisit, visit } from "./visit";

/*
 * Sent to the old email, the only one that an attacker cannot have changed. Security: no link is
 * made once the owner has restored the email, because the attacker at `to` could use it to undo
 * that.
 */

export const emailChanged = defineMail("email-changed", {
  payload: { ...recipient, ...visit, ...auditEvent },
  words: (payload, { token }: { token: string }) => ({
    subject: "The email of your account was changed",
    body: [
      `Your ${product.name} account now uses another email. It was changed ${describeVisit(payload)}.`,
      `If it was you, there is nothing to do. If it was not, take the account back within ${inWords(linkPolicy.emailRestore)}: it returns to this email, every device is logged out, and you get a link to set a new password.`,
      { label: "Take it back", path: `/restore-email/${token}` },
    ],
  }),
  async render(tx, payload) {
    const user = await lockRecipient(tx, payload);
    if (!user || (await wasOvertaken(tx, payload))) return null;
    const { to: sentTo, event } = payload;
    const link = { userId: user.id, purpose: "email-restore", sentTo, event } as const;
    return { token: await createLink(tx, link) };
  },
});
