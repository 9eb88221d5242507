import { z } from "zod";
import { defineMail } from "@/lib/mail/define";
import { product } from "@/lib/product";
import { lockRecipient, recipient } from "./recipient";
import { describeVisit, visit } from "./visit";

/*
 * Warns the owner of wrong codes in a row (ASVS 6.3.5): a login asks for a code only after the
 * password or the connected account. Security: the mail has no token, because there is no change
 * that a link could undo.
 */

export const wrongCodes = defineMail("wrong-codes", {
  payload: { ...recipient, ...visit, failures: z.number() },
  words: ({ failures, ...payload }) => ({
    subject: "Wrong codes for your account",
    body: [
      `${failures} wrong codes in a row were entered for your ${product.name} account, the last one ${describeVisit(payload)}. We ask for a code only after the right password, or after a login with a connected account.`,
      "If it was you, there is nothing to do. If it was not, an attacker knows your password or has access to a connected account, and two-factor has kept them out. Choose a new password:",
      { label: "Choose a new password", path: "/forgot-password" },
    ],
  }),
  render: lockRecipient,
});
