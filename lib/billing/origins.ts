import { billingEnv } from "@/lib/env";

/*
 * Owns where the provider's hosted pages are. The security facts: only the billing page may send a form there
 * (`formTargets`), since its buttons lead on to them without JavaScript too; and it leads to no other host, whatever
 * the provider answers.
 */

/** Empty where billing is off. */
export function hostedPageOrigins(): string[] {
  const { STRIPE_SECRET_KEY, STRIPE_API_URL } = billingEnv();
  if (!STRIPE_SECRET_KEY) return [];
  return STRIPE_API_URL
    ? [STRIPE_API_URL]
    : ["https://checkout.stripe.com", "https://billing.stripe.com"];
}

/** Where a form of the page at `path` may lead, besides this site. */
export function formTargets(path: string): string[] {
  return /^\/t\/[^/]+\/settings\/billing$/.test(path) ? hostedPageOrigins() : [];
}

/** `url`, if it is a page of this site (`appUrl`) or one of the provider's hosted pages. Throws for any other. */
export function ownOrHostedPage(url: string, appUrl: string): string {
  const { origin } = new URL(url);
  if (origin === appUrl || hostedPageOrigins().includes(origin)) return url;
  throw new Error(`The payment provider's page is on an unknown host: ${origin}`);
}
