import type Stripe from "stripe";
import type { State } from "./state";

/* The stand-in's account: its state with what is not kept in the file, and lookups in it. */

export type Webhook = { url: string | null; secret: string };

/** The state, and what is not kept in the file. */
export type Account = {
  state: State;
  origin: string;
  webhook: Webhook;
  /** Whether every request to the API is answered with 503. */
  isDown: boolean;
  /** Milliseconds by which the API delays an answer after carrying out the request. */
  delay: number;
  /** Ids of the events still to be sent, in order. */
  queue: string[];
  sending: Promise<void> | null;
  save(): void;
};

export type Refusal = {
  ok: false;
  reason: "missing" | "declined" | "payment-failed" | "expired" | "complete" | "ended";
};

/** `url` is the page to which a paid checkout leads. */
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

/** Returns the subscription's open invoices, oldest first. */
export function openInvoices(state: State, subscription: string): Stripe.Invoice[] {
  return state.invoices.filter(
    ({ status, parent }) =>
      status === "open" && parent?.subscription_details?.subscription === subscription,
  );
}
