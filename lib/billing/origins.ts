import { billingEnv } from "@/lib/env";

/*
 * Where the provider's hosted pages are. Security: only the billing page may send a form to them
 * (`formTargets`), since its buttons redirect there, also without JavaScript; and it redirects to
 * no other host, whatever the provider answers.
 */

/** Returns the origins of the hosted pages; empty if billing is off. */
export function hostedPageOrigins(): string[] {
  const { STRIPE_SECRET_KEY, STRIPE_API_URL } = billingEnv();
  if (!STRIPE_SECRET_KEY) return [];
  return STRIPE_API_URL
    ? [STRIPE_API_URL]
    : ["https://checkout.stripe.com", "https://billing.stripe.com"];
}

/** Returns where forms of the page at `path` may lead, besides this site. */
export function formTargets(path: string): string[] {
  return /^\/t\/[^/]+\/settings\/billing$/.test(path) ? hostedPageOrigins() : [];
}

/** Returns `url` if it is a page of this site (`appUrl`) or a hosted page. Throws for any other. */
export function ownOrHostedPage(url: string, appUrl: string): string {
  const { origin } = new URL(url);
  if (origin === appUrl || hostedPageOrigins().includes(origin)) return url;
  throw new Error(`The payment provider's page is on an unknown host: ${origin}`);
}
