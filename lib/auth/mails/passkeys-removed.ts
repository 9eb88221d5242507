import { always, defineMail } from "@/lib/mail/define";
import { product } from "@/lib/product";
import { recipient } from "./recipient";

/* Sent after an administrator removed all passkeys of a user who has lost them. */

export const passkeysRemoved = defineMail("passkeys-removed", {
  payload: recipient,
  words: () => ({
    subject: "Your passkeys were removed",
    body: [
      `An administrator removed all passkeys of your ${product.name} account, and logged you out everywhere.`,
      "Log in with your password. If you have none, choose one here:",
      { label: "Choose a password", path: "/forgot-password" },
      `If you did not ask for this, write to ${product.supportEmail}.`,
    ],
  }),
  render: always,
});
