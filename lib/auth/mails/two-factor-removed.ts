import { always, defineMail } from "@/lib/mail/define";
import { product } from "@/lib/product";
import { recipient } from "./recipient";

/* Sent after an administrator turned two-factor off. Its user has lost phone and recovery codes. */

export const twoFactorRemoved = defineMail("two-factor-removed", {
  payload: recipient,
  words: () => ({
    subject: "Two-factor is off",
    body: [
      `An administrator turned two-factor off for your ${product.name} account, and logged you out everywhere.`,
      "You can log in without a code now. Turn two-factor on again with your new phone:",
      { label: "Two-factor", path: "/settings/two-factor" },
      `If you did not ask for this, write to ${product.supportEmail}.`,
    ],
  }),
  render: always,
});
