import { randomBytes } from "node:crypto";
import type Stripe from "stripe";

/*
 * Owns the objects of the stand-in as Stripe's API returns them, and the state that holds them. They are typed
 * by the SDK, so that an upgrade that adds or moves a field fails the type check; only its types are used, not
 * its code. The security fact: an id has 128 random bits, because the pages of a checkout and of a portal are
 * opened by their id alone.
 */

export const API_VERSION: typeof Stripe.API_VERSION = "2026-10-28.endive";

/** A test card: pays, is declined, or pays a checkout and is declined at each later payment. */
export const cards = ["pays", "declined", "fails-later"] as const;
export type Card = (typeof cards)[number];

/** What a checkout sells, beside the session, which does not say it. */
export type Order = {
  price: string;
  seats: number;
  trialEnd: number | null;
  metadata: Stripe.Metadata;
  /** `State.skipped` when it was made: a checkout's times are those of its caller. */
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

/** What became of an event: `off` where no URL was set, `dropped` and `held` by the control page. */
export type Delivery = {
  status: "waiting" | "held" | "delivered" | "failed" | "dropped" | "off";
  attempts: number;
  /** The last answer, or why none came. */
  answer: string | null;
};

export type StoredEvent = Stripe.EventBase & { type: keyof EventObjects };

/** All of it is kept in the file, as JSON. Lists are in the order of creation. */
export type State = {
  version: 1;
  /** Seconds that the clock is ahead of real time. */
  skipped: number;
  products: Stripe.Product[];
  prices: Stripe.Price[];
  customers: Stripe.Customer[];
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
  /** Customers whose next payment fails. */
  failNext: string[];
  /** By subscription: lines for its next invoice. */
  prorations: Record<string, Line[]>;
  /** By event. */
  deliveries: Record<string, Delivery>;
  webhooks: "send" | "hold" | "drop";
  /** Answers by idempotency key. */
  answers: { key: string; request: string; status: number; body: string }[];
};

export function emptyState(): State {
  return {
    ...{ version: 1, skipped: 0, products: [], prices: [], customers: [], sessions: [] },
    ...{ subscriptions: [], invoices: [], portals: [], configurations: [], endpoints: [] },
    ...{ events: [], orders: {}, cards: {}, failNext: [], prorations: {}, deliveries: {} },
    ...{ webhooks: "send", answers: [] },
  };
}

/** Seconds since 1970, by the clock of the stand-in. */
export function clock(state: State): number {
  return Math.floor(Date.now() / 1000) + state.skipped;
}

export function newId(prefix: string): string {
  return `${prefix}_${randomBytes(16).toString("hex")}`;
}

export function newProduct(given: {
  name: string;
  description: string | null;
  metadata: Stripe.Metadata;
  at: number;
}): Stripe.Product {
  const { at, ...rest } = given;
  const none = nulls<Stripe.Product>();
  return {
    ...{ id: newId("prod"), object: "product", ...rest, active: true, created: at },
    ...{ updated: at, images: [], livemode: false, marketing_features: [], type: "service" },
    ...none("default_price", "package_dimensions", "shippable", "statement_descriptor"),
    ...none("tax_code", "tax_details", "unit_label", "url"),
  } satisfies Stripe.Product;
}

export function newPrice(given: {
  product: string;
  currency: string;
  amount: number;
  interval: Stripe.Price.Recurring.Interval;
  count: number;
  lookupKey: string | null;
  nickname: string | null;
  metadata: Stripe.Metadata;
  at: number;
}): Stripe.Price {
  const { amount, at, product, currency, metadata, nickname } = given;
  const recurring = {
    ...{ interval: given.interval, interval_count: given.count, usage_type: "licensed" },
    ...nulls<Stripe.Price.Recurring>()("meter", "trial_period_days"),
  } satisfies Stripe.Price.Recurring;
  return {
    ...{ id: newId("price"), object: "price", product, currency, metadata, nickname, recurring },
    ...{ active: true, billing_scheme: "per_unit", created: at, livemode: false },
    ...{ lookup_key: given.lookupKey, tax_behavior: "unspecified", type: "recurring" },
    ...{ unit_amount: amount, unit_amount_decimal: decimal(amount) },
    ...nulls<Stripe.Price>()("custom_unit_amount", "tiers_mode", "transform_quantity"),
  } satisfies Stripe.Price;
}

export function newCustomer(given: {
  name: string | null;
  email: string | null;
  description: string | null;
  metadata: Stripe.Metadata;
  at: number;
}): Stripe.Customer {
  const { at, ...rest } = given;
  const none = nulls<Stripe.Customer>();
  const unset = nulls<Stripe.Customer.InvoiceSettings>();
  const settings = unset("custom_fields", "default_payment_method", "footer", "rendering_options");
  return {
    ...{ id: newId("cus"), object: "customer", ...rest, created: at, balance: 0, currency: null },
    ...{ delinquent: false, livemode: false, next_invoice_sequence: 1, tax_exempt: "none" },
    ...{ invoice_prefix: randomBytes(4).toString("hex").toUpperCase() },
    ...{ invoice_settings: settings, preferred_locales: [] },
    ...none("address", "default_source", "discount", "phone", "shipping"),
    ...none("customer_account", "test_clock"),
  } satisfies Stripe.Customer;
}

export function newSession(given: {
  origin: string;
  customer: string;
  price: Stripe.Price;
  seats: number;
  /** Whether the first payment is due at the end of a trial. */
  trial: boolean;
  successUrl: string;
  cancelUrl: string | null;
  expiresAt: number;
  clientReference: string | null;
  metadata: Stripe.Metadata;
  at: number;
}): Stripe.Checkout.Session {
  const none = nulls<Stripe.Checkout.Session>();
  const text = nulls<Stripe.Checkout.Session.CustomText>();
  const id = newId("cs_test");
  const total = given.trial ? 0 : (given.price.unit_amount ?? 0) * given.seats;
  return {
    ...{ id, object: "checkout.session", customer: given.customer, metadata: given.metadata },
    ...{ url: `${given.origin}/checkout/${id}`, success_url: given.successUrl },
    ...{ cancel_url: given.cancelUrl, client_reference_id: given.clientReference },
    ...{ created: given.at, expires_at: given.expiresAt, currency: given.price.currency },
    ...{ mode: "subscription", status: "open", payment_status: "unpaid", ui_mode: "hosted_page" },
    ...{ amount_subtotal: total, amount_total: total, livemode: false, custom_fields: [] },
    ...{ payment_method_types: ["card"], payment_method_collection: "always" },
    ...{ shipping_options: [], discounts: [], total_details: noDetails },
    ...{ automatic_tax: { enabled: false, ...nulls()("liability", "provider", "status") } },
    custom_text: {
      ...text("after_submit", "shipping_address", "submit", "terms_of_service_acceptance"),
    },
    ...none("adaptive_pricing", "after_expiration", "allow_promotion_codes", "invoice"),
    ...none("allowed_payment_method_types", "billing_address_collection", "client_secret"),
    ...none("collected_information", "consent", "consent_collection", "currency_conversion"),
    ...none("customer_account", "customer_creation", "customer_details", "customer_email"),
    ...none("integration_identifier", "invoice_creation", "locale", "managed_payments"),
    ...none("origin_context", "payment_intent", "payment_link", "permissions", "submit_type"),
    ...none("payment_method_configuration_details", "payment_method_options", "recovered_from"),
    ...none("saved_payment_method_options", "setup_intent", "shipping_address_collection"),
    ...none("shipping_cost", "subscription", "wallet_options"),
  } satisfies Stripe.Checkout.Session;
}

const noDetails = { amount_discount: 0, amount_shipping: 0, amount_tax: 0 };

export function newSubscription(given: {
  customer: string;
  price: Stripe.Price;
  seats: number;
  trialEnd: number | null;
  periodEnd: number;
  paymentMethod: string;
  metadata: Stripe.Metadata;
  at: number;
}): Stripe.Subscription {
  const { at, customer, price, metadata, trialEnd } = given;
  const none = nulls<Stripe.Subscription>();
  const id = newId("sub");
  const item = {
    ...{ id: newId("si"), object: "subscription_item", created: at, subscription: id, price },
    ...{ current_period_start: at, current_period_end: given.periodEnd, quantity: given.seats },
    ...{ discounts: [], metadata: {}, plan: planOf(price), tax_rates: [] },
    ...nulls<Stripe.SubscriptionItem>()("billing_thresholds", "current_trial"),
  } satisfies Stripe.SubscriptionItem;
  return {
    ...{ id, object: "subscription", customer, metadata, created: at, start_date: at },
    ...{ status: trialEnd ? "trialing" : "active", currency: price.currency, livemode: false },
    ...{ items: listOf([item], `/v1/subscription_items?subscription=${id}`) },
    ...{ billing_cycle_anchor: trialEnd ?? at, collection_method: "charge_automatically" },
    ...{ trial_start: trialEnd && at, trial_end: trialEnd, cancel_at_period_end: false },
    ...{ default_payment_method: given.paymentMethod, discounts: [], default_tax_rates: [] },
    ...{ billing_mode: { type: "flexible", flexible: {} }, billing_schedules: [] },
    ...{ automatic_tax: { enabled: false, ...nulls()("disabled_reason", "liability") } },
    cancellation_details: cancellationFor(null),
    invoice_settings: {
      ...nulls()("account_tax_ids", "custom_fields", "description", "footer"),
      issuer: { type: "self" },
    },
    trial_settings: {
      end_behavior: { billing_cycle_anchor: null, missing_payment_method: "create_invoice" },
    },
    ...none("application", "application_fee_percent", "billing_cycle_anchor_config"),
    ...none("billing_thresholds", "cancel_at", "canceled_at", "customer_account", "days_until_due"),
    ...none("default_source", "description", "ended_at", "latest_invoice", "managed_payments"),
    ...none("next_pending_invoice_item_invoice", "on_behalf_of", "pause_collection"),
    ...none("payment_settings", "pending_invoice_item_interval", "pending_setup_intent"),
    ...none("pending_update", "schedule", "test_clock", "transfer_data"),
  } satisfies Stripe.Subscription;
}

export function cancellationFor(
  reason: Stripe.Subscription.CancellationDetails.Reason | null,
): Stripe.Subscription.CancellationDetails {
  const none = nulls<Stripe.Subscription.CancellationDetails>();
  return { ...none("comment", "feedback", "feedback_option"), reason };
}

/** The older form of a price, which an item still has. */
function planOf(price: Stripe.Price): Stripe.Plan {
  const { active, created, currency, metadata, nickname, product, unit_amount } = price;
  return {
    ...{ id: price.id, object: "plan", active, created, currency, metadata, nickname, product },
    ...{ amount: unit_amount, amount_decimal: decimal(unit_amount ?? 0), livemode: false },
    ...{ interval: price.recurring?.interval ?? "month", billing_scheme: "per_unit" },
    ...{ interval_count: price.recurring?.interval_count ?? 1, usage_type: "licensed" },
    ...nulls<Stripe.Plan>()("meter", "tiers_mode", "transform_usage", "trial_period_days"),
  } satisfies Stripe.Plan;
}

/** Numbers it by the customer, whose balance it uses. */
export function newInvoice(given: {
  origin: string;
  customer: Stripe.Customer;
  subscription: Stripe.Subscription;
  lines: Line[];
  reason: Stripe.Invoice.BillingReason;
  period: { start: number; end: number };
  at: number;
}): Stripe.Invoice {
  const { customer, subscription, lines, at, period } = given;
  const none = nulls<Stripe.Invoice>();
  const unset = nulls<Stripe.Invoice.PaymentSettings>();
  const noTax = nulls<Stripe.Invoice.AutomaticTax>();
  const tax = noTax("disabled_reason", "liability", "provider", "status");
  const id = newId("in");
  const total = lines.reduce((sum, line) => sum + line.amount, 0);
  const [before, due] = [customer.balance, Math.max(0, total + customer.balance)];
  customer.balance = Math.min(0, total + customer.balance);
  const sequence = customer.next_invoice_sequence ?? 1;
  customer.next_invoice_sequence = sequence + 1;
  return {
    ...{ id, object: "invoice", customer: customer.id, created: at },
    ...{ currency: subscription.currency },
    ...{ number: `${customer.invoice_prefix}-${String(sequence).padStart(4, "0")}` },
    ...{ hosted_invoice_url: `${given.origin}/invoices/${id}`, invoice_pdf: null },
    ...{ customer_email: customer.email, customer_name: customer.name ?? null },
    ...{ status: "open", billing_reason: given.reason, collection_method: "charge_automatically" },
    ...{ subtotal: total, subtotal_excluding_tax: total, total, total_excluding_tax: total },
    ...{ amount_due: due, amount_remaining: due, amount_paid: 0, amount_overpaid: 0 },
    ...{ amount_shipping: 0, starting_balance: before, ending_balance: customer.balance },
    ...{ period_start: period.start, period_end: period.end, effective_at: at, auto_advance: true },
    ...{ attempt_count: 0, attempted: false, customer_tax_exempt: "none", customer_tax_ids: [] },
    ...{ default_tax_rates: [], discounts: [], total_discount_amounts: [], total_taxes: [] },
    ...{ total_pretax_credit_amounts: [], metadata: {}, livemode: false },
    ...{ post_payment_credit_notes_amount: 0, pre_payment_credit_notes_amount: 0 },
    ...{ issuer: { type: "self" }, automatic_tax: { enabled: false, ...tax } },
    parent: {
      ...{ quote_details: null, type: "subscription_details" },
      subscription_details: { metadata: subscription.metadata, subscription: subscription.id },
    },
    lines: listOf(
      lines.map((line) => newLine(line, id, subscription)),
      `/v1/invoices/${id}/lines`,
    ),
    payment_settings: {
      ...unset("default_mandate", "payment_method_options", "payment_method_types"),
    },
    status_transitions: {
      ...{ finalized_at: at },
      ...nulls()("marked_uncollectible_at", "paid_at", "voided_at"),
    },
    ...none("account_country", "account_name", "account_tax_ids", "application"),
    ...none("automatically_finalizes_at", "custom_fields", "customer_account", "customer_address"),
    ...none("customer_phone", "customer_shipping", "default_payment_method", "default_source"),
    ...none("description", "due_date", "footer", "from_invoice", "last_finalization_error"),
    ...none("latest_revision", "next_payment_attempt", "on_behalf_of", "receipt_number"),
    ...none("rendering", "shipping_cost", "shipping_details", "statement_descriptor", "test_clock"),
    ...none("webhooks_delivered_at"),
  } satisfies Stripe.Invoice;
}

function newLine(
  { amount, quantity, description, proration, period }: Line,
  invoice: string,
  { id: subscription, items, currency }: Stripe.Subscription,
): Stripe.InvoiceLineItem {
  const item = items.data[0];
  const price = item?.price;
  return {
    ...{ id: newId("il"), object: "line_item", amount, currency, description, invoice, period },
    ...{ quantity, quantity_decimal: decimal(quantity), subtotal: amount, subscription },
    ...{ discount_amounts: [], discountable: !proration, discounts: [], livemode: false },
    ...{ metadata: {}, pretax_credit_amounts: [], taxes: [] },
    parent: {
      ...{ invoice_item_details: null, type: "subscription_item_details" },
      subscription_item_details: {
        ...{ invoice_item: null, proration, proration_details: null, subscription },
        subscription_item: item?.id ?? "",
      },
    },
    pricing: {
      ...{ type: "price_details", unit_amount_decimal: decimal(price?.unit_amount ?? 0) },
      price_details: { price: price?.id ?? "", product: String(price?.product) },
    },
  } satisfies Stripe.InvoiceLineItem;
}

export function newPortal(given: {
  origin: string;
  customer: string;
  configuration: string;
  returnUrl: string | null;
  at: number;
}): Stripe.BillingPortal.Session {
  const id = newId("bps");
  return {
    ...{ id, object: "billing_portal.session", customer: given.customer, created: given.at },
    ...{ configuration: given.configuration, return_url: given.returnUrl, livemode: false },
    url: `${given.origin}/portal/${id}`,
    ...nulls<Stripe.BillingPortal.Session>()("customer_account", "flow", "locale", "on_behalf_of"),
  } satisfies Stripe.BillingPortal.Session;
}

export function newConfiguration(at: number): Stripe.BillingPortal.Configuration {
  const profile = nulls<Stripe.BillingPortal.Configuration.BusinessProfile>();
  return {
    ...{ id: newId("bpc"), object: "billing_portal.configuration", active: true, created: at },
    ...{ updated: at, is_default: false, livemode: false, metadata: {} },
    ...{ login_page: { enabled: false, url: null } },
    business_profile: profile("headline", "privacy_policy_url", "terms_of_service_url"),
    features: {
      customer_update: { allowed_updates: [], enabled: false },
      invoice_history: { enabled: false },
      payment_method_update: { enabled: false, payment_method_configuration: null },
      subscription_cancel: {
        ...{ enabled: false, mode: "at_period_end", proration_behavior: "none" },
        cancellation_reason: { enabled: false, feedback_options: [], options: [] },
      },
      subscription_pause: {
        ...{ enabled: false, duration: { interval_options: [], type: "indefinite" } },
      },
      subscription_update: {
        ...{ billing_cycle_anchor: null, default_allowed_updates: [], enabled: false },
        ...{ proration_behavior: "none", schedule_at_period_end: { conditions: [] } },
        trial_update_behavior: "end_trial",
      },
    },
    ...nulls<Stripe.BillingPortal.Configuration>()("application", "default_return_url", "name"),
  } satisfies Stripe.BillingPortal.Configuration;
}

export function newEndpoint(given: {
  url: string;
  events: string[];
  version: string | null;
  description: string | null;
  metadata: Stripe.Metadata;
  at: number;
}): Stripe.WebhookEndpoint {
  const { url, description, metadata } = given;
  return {
    ...{ id: newId("we"), object: "webhook_endpoint", url, description, metadata },
    ...{ api_version: given.version, enabled_events: given.events, created: given.at },
    ...{ application: null, livemode: false, status: "enabled" },
  } satisfies Stripe.WebhookEndpoint;
}

export type EventObjects = {
  "checkout.session.completed": Stripe.CheckoutSessionCompletedEvent.Data["object"];
  "checkout.session.expired": Stripe.CheckoutSessionExpiredEvent.Data["object"];
  "customer.subscription.created": Stripe.CustomerSubscriptionCreatedEvent.Data["object"];
  "customer.subscription.updated": Stripe.CustomerSubscriptionUpdatedEvent.Data["object"];
  "customer.subscription.deleted": Stripe.CustomerSubscriptionDeletedEvent.Data["object"];
  "invoice.paid": Stripe.InvoicePaidEvent.Data["object"];
  "invoice.payment_failed": Stripe.InvoicePaymentFailedEvent.Data["object"];
};

/** The object as it is now: later changes do not reach the event. */
export function newEvent<Type extends keyof EventObjects>(
  type: Type,
  object: EventObjects[Type],
  at: number,
): StoredEvent {
  return {
    ...{ id: newId("evt"), object: "event", type, api_version: API_VERSION, created: at },
    ...{ data: { object: structuredClone(object) }, livemode: false, pending_webhooks: 1 },
    request: { id: null, idempotency_key: null },
  } satisfies Stripe.EventBase;
}

export function listOf<T>(data: T[], url: string, hasMore = false): Stripe.ApiList<T> {
  return { object: "list", data, has_more: hasMore, url };
}

/** The end of the period that contains or begins at `start`, counted from the anchor. */
export function periodEnd(anchor: number, price: Stripe.Price, start: number): number {
  const { interval, interval_count: count } = price.recurring ?? {
    ...{ interval: "month", interval_count: 1 },
  };
  for (let periods = 1; ; periods++) {
    const end = later(anchor, interval, periods * count);
    if (end > start) return end;
  }
}

function later(at: number, interval: string, count: number): number {
  if (interval === "day" || interval === "week")
    return at + count * (interval === "day" ? 1 : 7) * 86_400;
  const date = new Date(at * 1000);
  const months = interval === "year" ? 12 * count : count;
  const day = date.getUTCDate();
  date.setUTCDate(1);
  date.setUTCMonth(date.getUTCMonth() + months + 1, 0); // the last day of that month
  date.setUTCDate(Math.min(day, date.getUTCDate()));
  return date.getTime() / 1000;
}

/** In JSON, a decimal is a string. */
function decimal(amount: number): Stripe.Decimal {
  return String(amount) as unknown as Stripe.Decimal;
}

/** Fields that are null here, checked to be fields of the object. */
function nulls<T = Record<string, unknown>>() {
  return <K extends keyof T & string>(...keys: K[]): Record<K, null> =>
    // Its keys are those given.
    Object.fromEntries(keys.map((key) => [key, null])) as Record<K, null>;
}
