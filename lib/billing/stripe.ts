import type Stripe from "stripe";
import { billingEnv } from "@/lib/env";
import { type Interval, intervals, isPaidPlan, lookupKeyOf } from "./plans";
import { billingPolicy } from "./policy";
import type { InvoiceState, Provider, SubscriptionState, SubscriptionStatus } from "./provider";
import { findPortalConfiguration } from "./setup";

/*
 * Owns the talk with Stripe; the only file that imports its package, and only when a function is called: it
 * takes half a second and 20 MB to load. The security facts: an event counts only with a signature by one of
 * our secrets, and nothing of its content is used but type and customer. Prices are found by lookup key.
 */

/** The provider of the environment; null where billing is off. */
export function billingProvider(): Provider | null {
  const {
    STRIPE_SECRET_KEY: key,
    STRIPE_WEBHOOK_SECRET: secrets,
    STRIPE_API_URL: url,
  } = billingEnv();
  if (!key || !secrets) return null;
  return stripeProvider({ key, url, secrets: secrets.split(",").map((secret) => secret.trim()) });
}

/** For callers that only exist where billing is on. */
export function requireBillingProvider(): Provider {
  const provider = billingProvider();
  if (!provider) throw new Error("Billing is off: STRIPE_SECRET_KEY is not set.");
  return provider;
}

type Account = { key: string; secrets: string[]; url?: string };

const clients = new Map<string, Promise<Stripe>>();

/** The SDK's client, made once. `url` is that of the stand-in; without it, Stripe itself. */
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
    maxNetworkRetries: 1, // a job is tried again, and a click can be
    telemetry: false,
  });
}

export function stripeProvider(account: Account): Provider {
  const sdk = () => stripeClient(account);
  return {
    async saveCustomer({ id, customer: known, teamId, name, email }) {
      const stripe = await sdk();
      // Name and email may change until the next try, and a key allows one set of parameters.
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
        // Paid, or expired, since it was read.
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
          // Another secret may fit: while one is replaced, both are signed with.
        }
      }
      return null;
    },
  };
}

/** The customer that an event is about: itself, or named by its object. */
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
  // Not by the lookup key: a price that was replaced has none, and its subscriptions go on.
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
    default: // unpaid, paused, and what Stripe may add
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

/** A draft may still change. */
function isFinal(status: string | null): status is InvoiceState["status"] {
  return ["open", "paid", "uncollectible", "void"].includes(status ?? "");
}

const inSeconds = (date: Date) => Math.floor(date.getTime() / 1000);
const fromSeconds = (seconds: number) => new Date(seconds * 1000);
