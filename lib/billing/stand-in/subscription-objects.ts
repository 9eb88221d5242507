import type Stripe from "stripe";
import { decimal, listOf, newId, nulls } from "./fields";
import type { Line } from "./state";

/* Subscriptions and invoices as Stripe's API returns them, and where a period ends. */

export function newSubscription(given: {
  customer: string;
  price: Stripe.Price;
  seats: number;
  trialEnd: number | null;
  periodEnd: number;
  /** Null for the customer's default. */
  paymentMethod: string | null;
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

/** Returns the older form of a price, which an item still has. */
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

/** Creates an invoice with the customer's next number, and uses the customer's balance. */
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

/** Returns the end of the period that contains or begins at `start`, counted from the anchor. */
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
