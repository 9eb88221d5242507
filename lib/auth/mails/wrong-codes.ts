import { z } from "zod";
import { defineMail } from "@/lib/mail/define";
import { product } from "@/lib/product";
import { lockRecipient, recipient } from "./recipient";
import { describeVisit, visit } from "./visit";

/*
 * Warns the owner of wrong codes in a row (ASVS 6.3.4): a login asks for a code after the
 * right password. The security fact: it holds no token, because nothing has been changed that a link undoes.
 */

export const wrongCodes = defineMail("wrong-codes", {
  payload: { ...recipient, ...visit, failures: z.number() },
  words: ({ failures, ...payload }) => ({
    subject: "Someone may know your password",
    body: [
      `The password of your ${product.name} account was entered, and then ${failures} wrong codes in a row, the last one ${describeVisit(payload)}.`,
      "If it was you, there is nothing to do. If it was not, someone else knows your password. Two-factor has kept them out. Choose a new password:",
      { label: "Choose a new password", path: "/forgot-password" },
    ],
  }),
  render: lockRecipient,
});
