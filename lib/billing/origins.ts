import { billingEnv } from "@/lib/env";

/*
 * Owns where the provider's hosted pages are. The security fact: only the billing page may send a form there
 * (proxy.ts), since its buttons lead on to them without JavaScript too.
 */

/** Empty where billing is off. */
export function hostedPageOrigins(): string[] {
  const { STRIPE_SECRET_KEY, STRIPE_API_URL } = billingEnv();
  if (!STRIPE_SECRET_KEY) return [];
  return STRIPE_API_URL
    ? [STRIPE_API_URL]
    : ["https://checkout.stripe.com", "https://billing.stripe.com"];
}
