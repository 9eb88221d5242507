import { product } from "@/lib/product";
import type { Notices } from "./notice";

/**
 * Returns the messages that a page shows after a visit to a provider, by key. Keys contain the
 * provider's id, because a URL contains no text. `isLoggedIn`: the visit was a login, and this
 * browser's user has already logged in.
 */
export function providerNotices(
  providers: { id: string; name: string }[],
  { isLoggedIn = false } = {},
): Notices {
  const results = providers.flatMap(({ id, name }) => [
    [`${id}-connected`, `${name} is connected. You can log in with it.`],
    [`${id}-disconnected`, `${name} is disconnected. You can no longer log in with it.`],
  ]);
  const refusalsOfEach = providers.flatMap(({ id, name }) => [
    [`${id}-unreachable`, `${name} does not answer. Try again later, or another way.`],
    [`${id}-refused`, `The answer from ${name} could not be verified. Try again, or another way.`],
    [`${id}-cancelled`, `Nothing was confirmed at ${name}.`],
    [
      `${id}-no-email`,
      `${name} shared no email. ${isLoggedIn ? "No account was created." : "Sign up with your email."}`,
    ],
    [
      `${id}-account-exists`,
      isLoggedIn
        ? `There is an account with the email of that ${name} account. If it is this account, connect ${name} here. If not, log in to that one first.`
        : `There is an account with this email. Log in, then connect ${name} under Settings → Connected accounts.`,
    ],
    [
      `${id}-taken`,
      `That ${name} account is connected to another account of ${product.name}, or another ${name} account is connected to yours.`,
    ],
    [`${id}-other`, `That is not the ${name} account that is connected. Nothing was confirmed.`],
    [`${id}-stale`, `${name} did not ask you to log in again. Log out there, then try again.`],
  ]);
  const refusals = {
    ...Object.fromEntries(refusalsOfEach),
    "visit-ended":
      "This was started in another browser, was used already, or took too long. Try again.",
    "better-way":
      "Nothing was confirmed. Your account has a password, two-factor or a passkey now: confirm with that.",
    suspended: `${isLoggedIn ? "The account that you wanted to log in to" : "This account"} is suspended. Write to ${product.supportEmail} if you think this is a mistake.`,
  };
  return {
    ...Object.fromEntries(results),
    ...Object.fromEntries(Object.entries(refusals).map(([key, info]) => [key, { info }])),
  };
}
