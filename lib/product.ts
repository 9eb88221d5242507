/*
 * The product's name and other texts, wherever a user can read them. To rename the product, change
 * this file and README.md: no other string of app/ or lib/ contains the name, which
 * tests/product.test.ts checks. The logo is drawn in app/_ui/logo.tsx, and the icons are beside
 * app/layout.tsx.
 */

export const product = {
  name: "Latchkey",
  tagline: "Sessions you can end",
  description:
    "A Next.js starter with database sessions: see every device that is logged in, and end any of them at once.",
  /** In lower case. Attackers try these words first, so a new password must have more than them. */
  blockedPasswordWords: ["latchkey"],
  /** Letters, digits and `_`. No other prefix is accepted: a change makes all keys invalid. */
  apiKeyPrefix: "lk_live_",
  /** The prefix of teams' keys, under the same rules. It tells them from users' keys. */
  teamKeyPrefix: "lk_team_",
  /** A mailbox that the operator reads: users write to it when they cannot log in. */
  supportEmail: "support@example.com",
} as const;
