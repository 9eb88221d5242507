import { z } from "zod";
import { defineMail } from "@/lib/mail/define";
import { product } from "@/lib/product";
import { lockRecipient, recipient } from "./recipient";
import { describeVisit, visit } from "./visit";

/*
 * Warns the owner of wrong codes in a row (ASVS 6.3.4): a login asks for a code after the
 * right password. The security fact: it has no token, because there is no change that a link could undo.
 */

export const wrongCodes = defineMail("wrong-codes", {
  payload: { ...recipient, ...visit, failures: z.number() },
  words: ({ failures, ...payload }) => ({
    subject: "An attacker may know your password",
    body: [
      `The password of your ${product.name} account was entered, and then ${failures} wrong codes in a row, the last one ${describeVisit(payload)}.`,
      "If it was you, there is nothing to do. If it was not, an attacker knows your password. Two-factor has prevented the login. Choose a new password:",
      { label: "Choose a new password", path: "/forgot-password" },
    ],
  }),
  render: lockRecipient,
});
