import { defineMail } from "@/lib/mail/define";
import { product } from "@/lib/product";
import { lockRecipient, recipient } from "./recipient";
import { describeVisit, visit } from "./visit";

/*
 * Warns the owner that the password was changed. Security: the mail contains no token, because an
 * attacker who changed the password may read the mailbox too.
 */

export const passwordChanged = defineMail("password-changed", {
  payload: { ...recipient, ...visit },
  words: (payload) => ({
    subject: "Your password was changed",
    body: [
      `The password of your ${product.name} account was changed ${describeVisit(payload)}. All other devices are logged out.`,
      "If it was you, there is nothing to do. If it was not, choose a new password now:",
      { label: "Take your account back", path: "/forgot-password" },
    ],
  }),
  render: lockRecipient,
});
