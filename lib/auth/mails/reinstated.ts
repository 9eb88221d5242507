import { always, defineMail } from "@/lib/mail/define";
import { product } from "@/lib/product";
import { recipient } from "./recipient";

/* After a reinstatement. What the suspension ended stays ended, and the mail says so. */

export const reinstated = defineMail("reinstated", {
  payload: recipient,
  words: () => ({
    subject: "Your account is open again",
    body: [
      `Your ${product.name} account is not suspended any more. You can log in with your password, as before.`,
      { label: "Log in", path: "/login" },
      "API keys and the logins of your devices ended with the suspension. Make and log in again what you still need.",
    ],
  }),
  render: always,
});
