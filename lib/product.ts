/*
 * Owns what this product is called, wherever a user can read it. To rename it, change this file and
 * README.md: no other string of app/ or lib/ holds the name, which tests/product.test.ts checks. The
 * logo is drawn in app/_ui/logo.tsx, the icons beside app/layout.tsx.
 */

export const product = {
  name: "Latchkey",
  tagline: "Sessions you can end",
  description:
    "A Next.js starter with database sessions: see every device that is logged in, and end any of them at once.",
  /** In lower case. An attacker tries them first, so a new password needs more than these. */
  blockedPasswordWords: ["latchkey"],
  /** Letters, digits and `_`. No other prefix is accepted: a change makes every existing key invalid. */
  apiKeyPrefix: "lk_live_",
  /** The same for the keys of teams: the prefix says which of the two a key is. */
  teamKeyPrefix: "lk_team_",
  /** A mailbox that the operator reads: users write to it when they cannot log in to their account. */
  supportEmail: "support@example.com",
} as const;
