import { randomBytes } from "node:crypto";
import type Stripe from "stripe";
import { days, seconds } from "@/lib/time";
import { decimal, newId, nulls } from "./fields";
import type { EventObjects, StoredEvent } from "./state";

/*
 * The objects of the stand-in, as Stripe's API returns them. They have the SDK's types, so that the
 * type check fails when an upgrade adds or moves a field. The SDK's code is not used.
 */

export const API_VERSION: typeof Stripe.API_VERSION = "2026-10-28.endive";

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
  testClock: string | null;
  at: number;
}): Stripe.Customer {
  const { at, testClock, ...rest } = given;
  const none = nulls<Stripe.Customer>();
  const unset = nulls<Stripe.Customer.InvoiceSettings>();
  const settings = unset("custom_fields", "default_payment_method", "footer", "rendering_options");
  return {
    ...{ id: newId("cus"), object: "customer", ...rest, created: at, balance: 0, currency: null },
    ...{ delinquent: false, livemode: false, next_invoice_sequence: 1, tax_exempt: "none" },
    ...{ invoice_prefix: randomBytes(4).toString("hex").toUpperCase() },
    ...{ invoice_settings: settings, preferred_locales: [] },
    ...none("address", "default_source", "discount", "phone", "shipping"),
    ...{ customer_account: null, test_clock: testClock },
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

/** Copies the object as it is now: later changes do not affect the event. */
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

/** Returns what a checkout sells, as the API lists it. */
export function newLineItem(price: Stripe.Price, seats: number, isTrial: boolean): Stripe.LineItem {
  const amount = isTrial ? 0 : (price.unit_amount ?? 0) * seats;
  return {
    ...{ id: newId("li"), object: "item", price, quantity: seats, currency: price.currency },
    ...{ amount_subtotal: amount, amount_total: amount, amount_discount: 0, amount_tax: 0 },
    ...nulls<Stripe.LineItem>()("adjustable_quantity", "description", "metadata"),
  } satisfies Stripe.LineItem;
}

export function newPaymentMethod(id: string, customer: string, at: number): Stripe.PaymentMethod {
  return {
    ...{ id, object: "payment_method", type: "card", customer, created: at },
    ...{ customer_account: null, livemode: false, metadata: {} },
    billing_details: nulls()("address", "email", "name", "phone", "tax_id"),
  } satisfies Stripe.PaymentMethod;
}

export function newTestClock(
  name: string | null,
  time: number,
  at: number,
): Stripe.TestHelpers.TestClock {
  return {
    ...{ id: newId("clock"), object: "test_helpers.test_clock", name, frozen_time: time },
    ...{ created: at, deletes_after: at + days(30) / seconds(1), livemode: false },
    ...{ status: "ready", status_details: {} },
  } satisfies Stripe.TestHelpers.TestClock;
}
