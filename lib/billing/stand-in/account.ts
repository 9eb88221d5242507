import type Stripe from "stripe";
import type { State } from "./state";

/* Owns the account: the state with what is not kept in the file, and how it is asked for an object. */

export type Webhook = { url: string | null; secret: string };

/** The state with what is not kept in the file. */
export type Account = {
  state: State;
  origin: string;
  webhook: Webhook;
  /** Every request to the API is answered with 503. */
  isDown: boolean;
  /** Milliseconds that an answer of the API is held back after its request was carried out. */
  delay: number;
  /** Ids of the events that are still to be sent, in order. */
  queue: string[];
  sending: Promise<void> | null;
  save(): void;
};

export type Refusal = {
  ok: false;
  reason: "missing" | "declined" | "payment-failed" | "expired" | "complete" | "ended";
};

/** `url`: where a checkout that was paid leads. */
export type Outcome = { ok: true; url?: string } | Refusal;

export function refuse(reason: Refusal["reason"]): Refusal {
  return { ok: false, reason };
}

export function itemOf(subscription: Stripe.Subscription): Stripe.SubscriptionItem {
  const [item] = subscription.items.data;
  if (!item) throw new Error(`Subscription ${subscription.id} has no item.`);
  return item;
}

export function customerOf(state: State, id: string): Stripe.Customer | undefined {
  return state.customers.find((customer) => customer.id === id);
}

/** The oldest first. */
export function openInvoices(state: State, subscription: string): Stripe.Invoice[] {
  return state.invoices.filter(
    ({ status, parent }) =>
      status === "open" && parent?.subscription_details?.subscription === subscription,
  );
}
