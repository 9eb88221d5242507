import type { Interval, PaidPlan } from "./plans";

/*
 * Owns the boundary to the payment provider: eight functions. The only implementation is stripe.ts; another
 * provider is another file with these functions. The security fact: rows about money come from `fetchState`
 * alone, never from what a webhook or a browser says.
 */

export type Checkout = { id: string; url: string };

export type SubscriptionStatus =
  /** Not paid yet for the first time. */
  | "incomplete"
  | "trialing"
  | "active"
  /** A payment failed, and the provider tries again. */
  | "past_due"
  /** Given up by the provider, or paused: neither is paid for. */
  | "unpaid"
  | "ended";

export type SubscriptionState = {
  id: string;
  /** Null where its price is none of lib/billing/plans.ts. */
  plan: PaidPlan | null;
  interval: Interval | null;
  seats: number;
  status: SubscriptionStatus;
  currentPeriodEnd: Date | null;
  /** When it ends, where it has been cancelled. */
  cancelAt: Date | null;
  endedAt: Date | null;
  createdAt: Date;
};

export type InvoiceState = {
  id: string;
  number: string | null;
  status: "open" | "paid" | "uncollectible" | "void";
  /** In the smallest unit of `currency`. */
  total: number;
  currency: string;
  /** The provider's page with the invoice. */
  url: string | null;
  createdAt: Date;
};

export type ProviderEvent = { id: string; type: string; customer: string | null };

/** All functions but `readEvent` ask over the network, and throw where the provider does not answer. */
export type Provider = {
  /**
   * Makes the customer where `customer` is null, else changes its name and email; returns its id. The same row
   * gives the same customer, however often it is made.
   */
  saveCustomer(row: {
    id: string;
    customer: string | null;
    teamId: string;
    name: string;
    email: string | null;
  }): Promise<string>;
  createCheckout(order: {
    /** The same key with the same order gives the same checkout. */
    key: string;
    customer: string;
    plan: PaidPlan;
    interval: Interval;
    seats: number;
    /** When the first payment is due; null for at once. */
    trialEndsAt: Date | null;
    expiresAt: Date;
    /** A URL of this site, for the way back with `?checkout=done` or without. */
    back: string;
  }): Promise<Checkout>;
  /** False where it has been paid already. */
  expireCheckout(id: string): Promise<boolean>;
  /** A URL where the customer changes the card, cancels and reads invoices. */
  createPortal(customer: string, back: string): Promise<string>;
  fetchState(customer: string): Promise<{
    subscriptions: SubscriptionState[];
    invoices: InvoiceState[];
  }>;
  setSeats(subscriptionId: string, seats: number): Promise<void>;
  /** Ends the subscription at once. One that has ended already is no error. */
  cancelNow(subscriptionId: string): Promise<void>;
  /** The event of a webhook; null where its signature is not the provider's, or too old. */
  readEvent(payload: Buffer, signature: string | null): Promise<ProviderEvent | null>;
};
