import { defineMail } from "@/lib/mail/define";
import { product } from "@/lib/product";
import { lockRecipient, recipient } from "./recipient";
import { describeVisit, visit } from "./visit";

/* Sent after a refresh token was reused (lib/auth/tokens/refresh.ts): it was copied. */

export const refreshTokenReused = defineMail("refresh-token-reused", {
  payload: { ...recipient, ...visit },
  words: (payload) => ({
    subject: "An app was logged out to be safe",
    body: [
      `We received a token of an app of your ${product.name} account that had already been used, ${describeVisit(payload)}. An attacker may have a copy of the token, so we logged the app out.`,
      "You can log in to the app again. If you do not know it, or this happens again, choose a new password: that logs out every device.",
      { label: "Choose a new password", path: "/forgot-password" },
    ],
  }),
  render: lockRecipient,
});
