import type Stripe from "stripe";

/* The stand-in's state, its clock, and the kinds of test cards. */

/** A test card: pays, is declined, or pays a checkout and is declined at each later payment. */
export const cards = ["pays", "declined", "fails-later"] as const;

export type Card = (typeof cards)[number];

export function isCard(value: unknown): value is Card {
  return cards.some((card) => card === value);
}

/** What a checkout sells. Its session does not contain this. */
export type Order = {
  price: string;
  seats: number;
  trialEnd: number | null;
  metadata: Stripe.Metadata;
  /** `State.skipped` when the checkout was created: its times are those of its caller. */
  skipped: number;
};

/** A line of an invoice; amounts in the smallest unit of the currency, times in seconds. */
export type Line = {
  amount: number;
  quantity: number;
  description: string;
  proration: boolean;
  period: { start: number; end: number };
};

/** The delivery of an event. `off`: no URL was set; `dropped` and `held`: by the control page. */
export type Delivery = {
  status: "waiting" | "held" | "delivered" | "failed" | "dropped" | "off";
  attempts: number;
  /** The last answer, or the reason why there was none. */
  answer: string | null;
};

export type EventObjects = {
  "checkout.session.completed": Stripe.CheckoutSessionCompletedEvent.Data["object"];
  "checkout.session.expired": Stripe.CheckoutSessionExpiredEvent.Data["object"];
  "customer.subscription.created": Stripe.CustomerSubscriptionCreatedEvent.Data["object"];
  "customer.subscription.updated": Stripe.CustomerSubscriptionUpdatedEvent.Data["object"];
  "customer.subscription.deleted": Stripe.CustomerSubscriptionDeletedEvent.Data["object"];
  "invoice.paid": Stripe.InvoicePaidEvent.Data["object"];
  "invoice.payment_failed": Stripe.InvoicePaymentFailedEvent.Data["object"];
};

export type StoredEvent = Stripe.EventBase & { type: keyof EventObjects };

/** The stand-in's state, all of it kept in the file as JSON. Lists are in the order of creation. */
export type State = {
  version: 2;
  /** Seconds by which the clock is ahead of real time. */
  skipped: number;
  products: Stripe.Product[];
  prices: Stripe.Price[];
  customers: Stripe.Customer[];
  testClocks: Stripe.TestHelpers.TestClock[];
  sessions: Stripe.Checkout.Session[];
  subscriptions: Stripe.Subscription[];
  invoices: Stripe.Invoice[];
  portals: Stripe.BillingPortal.Session[];
  configurations: Stripe.BillingPortal.Configuration[];
  endpoints: Stripe.WebhookEndpoint[];
  events: StoredEvent[];
  /** By checkout session. */
  orders: Record<string, Order>;
  /** By customer. */
  cards: Record<string, Card>;
  /** Cards attached through the API, by payment method. */
  methods: Record<string, { customer: string; card: Card }>;
  /** Customers whose next payment fails. */
  failNext: string[];
  /** Lines for the next invoice, by subscription. */
  prorations: Record<string, Line[]>;
  /** By event. */
  deliveries: Record<string, Delivery>;
  webhooks: "send" | "hold" | "drop";
  /** Answers by idempotency key. */
  answers: { key: string; request: string; status: number; body: string }[];
};

export function emptyState(): State {
  return {
    ...{ version: 2, skipped: 0, products: [], prices: [], customers: [], sessions: [] },
    ...{ subscriptions: [], invoices: [], portals: [], configurations: [], endpoints: [] },
    ...{
      events: [],
      orders: {},
      cards: {},
      methods: {},
      testClocks: [],
      failNext: [],
      prorations: {},
      deliveries: {},
    },
    ...{ webhooks: "send", answers: [] },
  };
}

/** Returns the stand-in's time in seconds since 1970. */
export function clock(state: State): number {
  return Math.floor(Date.now() / 1000) + state.skipped;
}

/**
 * Returns a customer's time: that of its test clock, which stands still until it is advanced, or
 * else that of the stand-in.
 */
export function clockOf(state: State, customer: string): number {
  const found = state.customers.find(({ id }) => id === customer);
  const testClock = state.testClocks.find(({ id }) => id === found?.test_clock);
  return testClock?.frozen_time ?? clock(state);
}
