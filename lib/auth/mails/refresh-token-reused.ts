import { defineMail } from "@/lib/mail/define";
import { product } from "@/lib/product";
import { lockRecipient, recipient } from "./recipient";
import { describeVisit, visit } from "./visit";

/* Sent after a refresh token was reused (lib/auth/tokens/refresh.ts): it was copied. */

export const refreshTokenReused = defineMail("refresh-token-reused", {
  payload: { ...recipient, ...visit },
  words: (payload) => ({
    subject: "An app was logged out for your safety",
    body: [
      `An app's token for your ${product.name} account was used a second time ${describeVisit(payload)}. An attacker may have a copy of the token, so we logged the app out.`,
      "You can log in to the app again. If you do not know the app, or this happens again, choose a new password: that logs out every device.",
      { label: "Choose a new password", path: "/forgot-password" },
    ],
  }),
  render: lockRecipient,
});
