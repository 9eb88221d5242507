import { defineMail } from "@/lib/mail/define";
import { product } from "@/lib/product";
import { lockRecipient, recipient } from "./recipient";
import { describeVisit, visit } from "./visit";

/* After the reuse of a refresh token (lib/auth/tokens/refresh.ts): the token was copied. */

export const refreshTokenReused = defineMail("refresh-token-reused", {
  payload: { ...recipient, ...visit },
  words: (payload) => ({
    subject: "An app was logged out to be safe",
    body: [
      `An app that was logged in to your ${product.name} account showed a token that had been used before, ${describeVisit(payload)}. That happens when someone else has a copy of it, so the app is logged out on its device.`,
      "Log in again there. If you do not know this app, or it happens again, choose a new password: that logs out every device.",
      { label: "Choose a new password", path: "/forgot-password" },
    ],
  }),
  render: lockRecipient,
});
