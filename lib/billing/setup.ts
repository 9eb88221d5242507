import type Stripe from "stripe";
import { product } from "@/lib/product";
import {
  currency,
  intervals,
  isPaidPlan,
  lookupKeyOf,
  type PaidPlan,
  plans,
  priceOf,
} from "./plans";

/*
 * Sets up what must exist at the provider: products and prices as in plans.ts, the portal's
 * configuration, and the webhook. It can be run repeatedly: what exists stays, and a changed amount
 * becomes a new price for new subscriptions; running subscriptions keep theirs.
 */

/** The events that can change what a team has. Each only triggers a fetch of the state. */
const events: Stripe.WebhookEndpointCreateParams.EnabledEvent[] = [
  "checkout.session.completed",
  "customer.subscription.created",
  "customer.subscription.updated",
  "customer.subscription.deleted",
  "customer.subscription.paused",
  "customer.subscription.resumed",
  "invoice.paid",
  "invoice.payment_failed",
  "invoice.voided",
  "invoice.marked_uncollectible",
];

export type SetUp = {
  /** What was created, one line each. */
  made: string[];
  /** The signing secret of a new webhook. The provider shows it only this once. */
  webhookSecret: string | null;
};

/** Creates what is missing. `webhookUrl` is null if webhooks are forwarded; then none is created. */
export async function setUpBilling(stripe: Stripe, webhookUrl: string | null): Promise<SetUp> {
  const made: string[] = [];
  for (const plan of Object.keys(plans).filter(isPaidPlan))
    made.push(...(await setUpPrices(stripe, plan)));
  if (!(await findPortalConfiguration(stripe))) {
    await stripe.billingPortal.configurations.create(portal);
    made.push("the configuration of the portal");
  }
  const webhookSecret = webhookUrl ? await setUpWebhook(stripe, webhookUrl) : null;
  if (webhookSecret) made.push(`the webhook ${webhookUrl}`);
  return { made, webhookSecret };
}

async function setUpPrices(stripe: Stripe, plan: PaidPlan): Promise<string[]> {
  const made: string[] = [];
  const { data: found } = await stripe.prices.list({
    lookup_keys: intervals.map((interval) => lookupKeyOf(plan, interval)),
    active: true,
  });
  let productId: string | undefined;
  for (const interval of intervals) {
    const [key, amount] = [lookupKeyOf(plan, interval), priceOf(plan, interval)];
    const price = found.find(({ lookup_key }) => lookup_key === key);
    if (price?.unit_amount === amount && price.currency === currency) continue;
    productId ??= await findOrMakeProduct(stripe, plan);
    await stripe.prices.create({
      ...{ product: productId, currency, unit_amount: amount, recurring: { interval } },
      // The key moves to the newest price; stripe.ts recognises older ones by their metadata.
      ...{ lookup_key: key, transfer_lookup_key: true, metadata: { plan } },
    });
    made.push(`the price ${key}: ${amount / 100} ${currency.toUpperCase()} a ${interval}`);
  }
  return made;
}

async function findOrMakeProduct(stripe: Stripe, plan: PaidPlan): Promise<string> {
  for await (const each of stripe.products.list({ active: true, limit: 100 }))
    if (each.metadata.plan === plan) return each.id;
  const { id } = await stripe.products.create({
    name: `${product.name} ${plans[plan].name}`,
    metadata: { plan },
  });
  return id;
}

const portal: Stripe.BillingPortal.ConfigurationCreateParams = {
  features: {
    invoice_history: { enabled: true },
    payment_method_update: { enabled: true },
    subscription_cancel: { enabled: true, mode: "at_period_end" },
    customer_update: { enabled: true, allowed_updates: ["address", "tax_id"] },
  },
  metadata: { madeBy: "billing:setup" },
};

/** Returns the id of the configuration made by `billing:setup`; undefined before it has run. */
export async function findPortalConfiguration(stripe: Stripe): Promise<string | undefined> {
  const { data } = await stripe.billingPortal.configurations.list({ active: true, limit: 100 });
  return data.find(({ metadata }) => metadata?.madeBy === portal.metadata?.madeBy)?.id;
}

async function setUpWebhook(stripe: Stripe, url: string): Promise<string | null> {
  for await (const each of stripe.webhookEndpoints.list({ limit: 100 }))
    if (each.url === url) return null;
  const { secret } = await stripe.webhookEndpoints.create({ url, enabled_events: events });
  return secret ?? null;
}
