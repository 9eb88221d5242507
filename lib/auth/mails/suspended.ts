import { always, defineMail } from "@/lib/mail/define";
import { product } from "@/lib/product";
import { recipient } from "./recipient";

/* Only administrators see the reason for a suspension, so the mail says where to ask for it. */

export const suspended = defineMail("suspended", {
  payload: recipient,
  words: () => ({
    subject: "Your account is suspended",
    body: [
      `An administrator suspended your ${product.name} account. Every device and every app is logged out, and API keys are revoked. Nothing in your account was deleted.`,
      `If you think that this is a mistake, or want to know why, write to ${product.supportEmail}.`,
    ],
  }),
  render: always,
});
