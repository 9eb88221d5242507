import { always, defineMail } from "@/lib/mail/define";
import { product } from "@/lib/product";
import { recipient } from "./recipient";

/* Sent after a reinstatement. What the suspension ended stays ended, and the mail says so. */

export const reinstated = defineMail("reinstated", {
  payload: recipient,
  words: () => ({
    subject: "Your account is open again",
    body: [
      `Your ${product.name} account is no longer suspended. You can log in with your password, as before.`,
      { label: "Log in", path: "/login" },
      "The suspension logged out your devices and revoked your API keys. Create new keys for programs that still need one.",
    ],
  }),
  render: always,
});
