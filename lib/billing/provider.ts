import type { Interval, PaidPlan } from "./plans";

/*
 * The interface to the payment provider: eight functions. stripe.ts is the only implementation;
 * another provider is another file with these functions. Security: rows about money come only from
 * `fetchState`, never from what a webhook or a browser says.
 */

export type Checkout = { id: string; url: string };

export type SubscriptionStatus =
  /** The first payment has not been made yet. */
  | "incomplete"
  | "trialing"
  | "active"
  /** A payment failed, and the provider retries it. */
  | "past_due"
  /** Given up by the provider, or paused; in neither case is it paid for. */
  | "unpaid"
  | "ended";

export type SubscriptionState = {
  id: string;
  /** Null if its price is not in lib/billing/plans.ts. */
  plan: PaidPlan | null;
  interval: Interval | null;
  seats: number;
  status: SubscriptionStatus;
  currentPeriodEnd: Date | null;
  /** When it ends, if it has been cancelled. */
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

/** All functions except `readEvent` use the network, and throw if the provider does not answer. */
export type Provider = {
  /**
   * Creates the customer if `customer` is null, else changes its name and email. Returns its id.
   * Repeated calls with the same row give the same customer.
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
    /** A URL of this site to return to; with `?checkout=done` after the payment. */
    back: string;
  }): Promise<Checkout>;
  /** Returns false if it has already been paid. */
  expireCheckout(id: string): Promise<boolean>;
  /** Returns a URL where the customer changes the card, cancels and reads invoices. */
  createPortal(customer: string, back: string): Promise<string>;
  fetchState(customer: string): Promise<{
    subscriptions: SubscriptionState[];
    invoices: InvoiceState[];
  }>;
  setSeats(subscriptionId: string, seats: number): Promise<void>;
  /** Ends the subscription at once. No error if it has already ended. */
  cancelNow(subscriptionId: string): Promise<void>;
  /** Returns the event of a webhook; null if the signature is not the provider's, or too old. */
  readEvent(payload: Buffer, signature: string | null): Promise<ProviderEvent | null>;
};
