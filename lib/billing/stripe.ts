import type Stripe from "stripe";
import { billingEnv } from "@/lib/env";
import { type Interval, intervals, isPaidPlan, lookupKeyOf } from "./plans";
import { billingPolicy } from "./policy";
import type { InvoiceState, Provider, SubscriptionState, SubscriptionStatus } from "./provider";
import { findPortalConfiguration } from "./setup";

/*
 * The Stripe implementation of provider.ts. No other file loads the `stripe` package, and this one
 * loads it only when a function is called, because that takes half a second and 20 MB. Security: an
 * event counts only with a signature by one of our secrets, and only its id, type and customer are
 * used. Prices are found by lookup key.
 */

/** Returns the provider set in the environment; null if billing is off. */
export function billingProvider(): Provider | null {
  const {
    STRIPE_SECRET_KEY: key,
    STRIPE_WEBHOOK_SECRET: secrets,
    STRIPE_API_URL: url,
  } = billingEnv();
  if (!key || !secrets) return null;
  return stripeProvider({ key, url, secrets: secrets.split(",").map((secret) => secret.trim()) });
}

/** Returns the provider, for callers that exist only while billing is on. */
export function requireBillingProvider(): Provider {
  const provider = billingProvider();
  if (!provider) throw new Error("Billing is off: STRIPE_SECRET_KEY is not set.");
  return provider;
}

type Account = { key: string; secrets: string[]; url?: string };

const clients = new Map<string, Promise<Stripe>>();

/** Returns the SDK's client, created once. `url` is the stand-in's; without it, Stripe is used. */
export function stripeClient({ key, url }: Pick<Account, "key" | "url">): Promise<Stripe> {
  const name = `${key} ${url}`;
  const client = clients.get(name) ?? createClient(key, url);
  clients.set(name, client);
  return client;
}

async function createClient(key: string, url?: string): Promise<Stripe> {
  const { default: Sdk } = await import("stripe");
  const { hostname, port } = new URL(url ?? "https://api.stripe.com");
  return new Sdk(key, {
    ...(url && { host: hostname, port, protocol: "http" as const }),
    timeout: billingPolicy.request,
    maxNetworkRetries: 1, // jobs are retried, and a user can click again
    telemetry: false,
  });
}

export function stripeProvider(account: Account): Provider {
  const sdk = () => stripeClient(account);
  return {
    async saveCustomer({ id, customer: known, teamId, name, email }) {
      const stripe = await sdk();
      // Without name and email: they may change before a retry, and an idempotency key allows only
      // one set of parameters.
      const made = { metadata: { row: id, team: teamId } };
      const customer =
        known ?? (await stripe.customers.create(made, { idempotencyKey: `customer:${id}` })).id;
      await stripe.customers.update(customer, { name, ...(email !== null && { email }) });
      return customer;
    },

    async createCheckout({ key, customer, plan, interval, seats, trialEndsAt, expiresAt, back }) {
      const stripe = await sdk();
      const { data: prices } = await stripe.prices.list({
        lookup_keys: [lookupKeyOf(plan, interval)],
        active: true,
      });
      const [price] = prices;
      if (!price)
        throw new Error(
          `Stripe has no price "${lookupKeyOf(plan, interval)}": run \`npm run billing:setup\`.`,
        );
      const session = await stripe.checkout.sessions.create(
        {
          mode: "subscription",
          customer,
          line_items: [{ price: price.id, quantity: seats }],
          subscription_data: trialEndsAt ? { trial_end: inSeconds(trialEndsAt) } : {},
          expires_at: inSeconds(expiresAt),
          success_url: `${back}?checkout=done`,
          cancel_url: back,
        },
        { idempotencyKey: key },
      );
      if (!session.url) throw new Error("Stripe made a checkout without a page.");
      return { id: session.id, url: session.url };
    },

    async expireCheckout(id) {
      const stripe = await sdk();
      const { status } = await stripe.checkout.sessions.retrieve(id);
      if (status !== "open") return status === "expired";
      try {
        await stripe.checkout.sessions.expire(id);
        return true;
      } catch (error) {
        // It was paid, or it expired, after it was read.
        const { status } = await stripe.checkout.sessions.retrieve(id);
        if (status === "open") throw error;
        return status === "expired";
      }
    },

    async createPortal(customer, back) {
      const stripe = await sdk();
      const configuration = await findPortalConfiguration(stripe);
      const session = await stripe.billingPortal.sessions.create({
        ...{ customer, return_url: back },
        ...(configuration && { configuration }),
      });
      return session.url;
    },

    async fetchState(customer) {
      const stripe = await sdk();
      const subscriptions: SubscriptionState[] = [];
      for await (const each of stripe.subscriptions.list({ customer, status: "all", limit: 100 }))
        subscriptions.push(subscriptionState(each));
      const { data } = await stripe.invoices.list({ customer, limit: 24 });
      return { subscriptions, invoices: data.flatMap(invoiceState) };
    },

    async setSeats(subscriptionId, seats) {
      const stripe = await sdk();
      const { items } = await stripe.subscriptions.retrieve(subscriptionId);
      const [item] = items.data;
      if (!item || item.quantity === seats) return;
      await stripe.subscriptions.update(subscriptionId, {
        items: [{ id: item.id, quantity: seats }],
        proration_behavior: "create_prorations",
      });
    },

    async cancelNow(subscriptionId) {
      const stripe = await sdk();
      const found = await stripe.subscriptions.retrieve(subscriptionId);
      if (!found.ended_at) await stripe.subscriptions.cancel(subscriptionId);
    },

    async readEvent(payload, signature) {
      if (!signature) return null;
      const stripe = await sdk();
      for (const secret of account.secrets) {
        try {
          const event = stripe.webhooks.constructEvent(payload, signature, secret);
          return { id: event.id, type: event.type, customer: customerIn(event.data.object) };
        } catch {
          // Try the next secret: while one is being replaced, Stripe signs with both.
        }
      }
      return null;
    },
  };
}

/** Returns the customer that an event is about: its object, or the customer of its object. */
function customerIn(object: object): string | null {
  const { id, object: kind, customer } = object as Record<string, unknown>;
  const found = kind === "customer" ? id : customer;
  if (typeof found === "string") return found;
  const nested = (found as { id?: unknown } | null | undefined)?.id;
  return typeof nested === "string" ? nested : null;
}

function subscriptionState(found: Stripe.Subscription): SubscriptionState {
  const [item] = found.items.data;
  const end = item ? fromSeconds(item.current_period_end) : null;
  // Not from the lookup key: a replaced price has none, and its subscriptions continue.
  const plan = item?.price.metadata.plan;
  return {
    ...{ id: found.id, plan: isPaidPlan(plan) ? plan : null, interval: intervalOf(item?.price) },
    ...{ seats: item?.quantity ?? 0, status: statusOf(found), currentPeriodEnd: end },
    cancelAt: found.cancel_at ? fromSeconds(found.cancel_at) : cancelAtEnd(found, end),
    endedAt: found.ended_at ? fromSeconds(found.ended_at) : null,
    createdAt: fromSeconds(found.created),
  };
}

function intervalOf(price?: Stripe.Price): Interval | null {
  return intervals.find((interval) => interval === price?.recurring?.interval) ?? null;
}

const cancelAtEnd = (found: Stripe.Subscription, end: Date | null) =>
  found.cancel_at_period_end ? end : null;

function statusOf({ status, ended_at }: Stripe.Subscription): SubscriptionStatus {
  if (ended_at) return "ended";
  switch (status) {
    case "active":
      return "active";
    case "trialing":
      return "trialing";
    case "past_due":
      return "past_due";
    case "incomplete":
      return "incomplete";
    case "canceled":
    case "incomplete_expired":
      return "ended";
    default: // unpaid, paused, and any status that Stripe may add
      return "unpaid";
  }
}

function invoiceState(found: Stripe.Invoice): InvoiceState[] {
  const { id, status, number, total } = found;
  if (!id || !isFinal(status)) return [];
  return [
    {
      ...{ id, status, number, total, currency: found.currency },
      url: found.hosted_invoice_url ?? null,
      createdAt: fromSeconds(found.created),
    },
  ];
}

/** Returns false for a draft, which may still change. */
function isFinal(status: string | null): status is InvoiceState["status"] {
  return ["open", "paid", "uncollectible", "void"].includes(status ?? "");
}

const inSeconds = (date: Date) => Math.floor(date.getTime() / 1000);
const fromSeconds = (seconds: number) => new Date(seconds * 1000);
