import type Stripe from "stripe";
import { customerOf } from "./account";
import { ApiError, invalid, missing } from "./errors";
import { newId } from "./fields";
import { payOpenInvoices } from "./invoices";
import { newPaymentMethod, newTestClock } from "./objects";
import { type Params, quantityOf } from "./params";
import { type Call, find, type Route, reads } from "./route";
import { type Card, clockOf, type State } from "./state";
import { cancelNow, start } from "./subscriptions";
import { advance } from "./time";
import { record } from "./webhooks";

/*
 * API routes with which lib/billing/contract.ts buys without a page and advances time: test cards,
 * subscriptions, payments, test clocks.
 */

/** Stripe's names for test cards. */
const testMethods: Record<string, Card> = {
  pm_card_visa: "pays",
  pm_card_chargeDeclined: "declined",
  pm_card_chargeCustomerFail: "fails-later",
};

export const DEFAULT_METHOD = "invoice_settings[default_payment_method]";

export const testRoutes: Route[] = [
  {
    ...{ method: "POST", path: "/v1/payment_methods/:id/attach", takes: ["customer"] },
    run({ state, params, id, at }) {
      const card = Object.hasOwn(testMethods, id) ? testMethods[id] : undefined;
      if (!card) throw missing("PaymentMethod", id);
      const customer = params.required("customer");
      find(state.customers, customer, "customer", "customer");
      if (card === "declined") throw declined();
      const method = newPaymentMethod(newId("pm"), customer, at);
      state.methods[method.id] = { customer, card };
      return method;
    },
  },
  {
    ...{ method: "POST", path: "/v1/subscriptions" },
    takes: ["customer", "items[0][price]", "items[0][quantity]", "trial_end", "metadata[]"],
    run: createSubscription,
  },
  {
    ...{ method: "POST", path: "/v1/invoices/:id/pay", takes: [] },
    run({ account, state, id }) {
      const invoice = find(state.invoices, id, "invoice");
      if (invoice.status !== "open") throw invalid(`Invoice is already ${invoice.status}`);
      const paid = invoice.parent?.subscription_details?.subscription;
      const subscription = find(state.subscriptions, String(paid), "subscription");
      if (!payOpenInvoices(account, subscription)) throw declined();
      return invoice;
    },
  },
  {
    ...{ method: "DELETE", path: "/v1/customers/:id", takes: [] },
    run({ account, state, id }) {
      find(state.customers, id, "customer");
      for (const subscription of state.subscriptions)
        if (subscription.customer === id && !subscription.ended_at)
          cancelNow(account, subscription);
      forget(state, [id]);
      return { id, object: "customer", deleted: true } satisfies Stripe.DeletedCustomer;
    },
  },
  ...reads("test_helpers/test_clocks", "test clock", ({ testClocks }) => testClocks, {}),
  {
    ...{ method: "POST", path: "/v1/test_helpers/test_clocks", takes: ["frozen_time", "name"] },
    run({ state, params, at }) {
      const testClock = newTestClock(params.text("name"), timeIn(params), at);
      state.testClocks.push(testClock);
      return testClock;
    },
  },
  {
    ...{ method: "POST", path: "/v1/test_helpers/test_clocks/:id/advance", takes: ["frozen_time"] },
    run({ account, state, params, id }) {
      const testClock = find(state.testClocks, id, "test clock");
      const time = timeIn(params);
      if (time <= testClock.frozen_time)
        throw invalid("A test clock can only be moved forward.", "frozen_time");
      testClock.frozen_time = time;
      advance(account);
      return { ...testClock, status: "advancing" }; // like Stripe, which takes some seconds
    },
  },
  {
    ...{ method: "DELETE", path: "/v1/test_helpers/test_clocks/:id", takes: [] },
    run({ state, id }) {
      const testClock = find(state.testClocks, id, "test clock");
      const own = state.customers.filter(({ test_clock }) => test_clock === id);
      forget(
        state,
        own.map(({ id }) => id),
      );
      state.testClocks.splice(state.testClocks.indexOf(testClock), 1);
      const { object } = testClock;
      return { id, object, deleted: true } satisfies Stripe.TestHelpers.DeletedTestClock;
    },
  },
];

/** Makes an attached card the one that pays. Does nothing if `id` is null. */
export function setMethod(state: State, customer: Stripe.Customer, id: string | null): void {
  if (id === null) return;
  const method = Object.hasOwn(state.methods, id) ? state.methods[id] : undefined;
  if (method?.customer !== customer.id) throw missing("PaymentMethod", id, DEFAULT_METHOD);
  state.cards[customer.id] = method.card;
  customer.invoice_settings.default_payment_method = id;
}

function createSubscription({ account, state, params }: Call): object {
  const id = params.required("customer");
  const customer = customerOf(state, id);
  if (!customer) throw missing("customer", id, "customer");
  const wanted = params.required("items[0][price]");
  const price = find(state.prices, wanted, "price", "items[0][price]");
  const seats = quantityOf(params, "items[0][quantity]") ?? 1;
  const [trialEnd, at] = [params.integer("trial_end"), clockOf(state, id)];
  if (trialEnd !== null && trialEnd <= at)
    throw invalid("The `trial_end` date has to be in the future.", "trial_end");
  if (state.cards[id] !== "pays")
    throw invalid("The stand-in starts a subscription only with a card that pays.");
  const { subscription, invoice } = start(account, customer, {
    ...{ price, seats, trialEnd, at, metadata: params.metadata("metadata"), paymentMethod: null },
  });
  record(account, "customer.subscription.created", subscription, at);
  record(account, "invoice.paid", invoice, at);
  return subscription;
}

function timeIn(params: Params): number {
  params.required("frozen_time");
  return params.integer("frozen_time") ?? 0;
}

function forget(state: State, customers: string[]): void {
  const isKept = ({ customer }: { customer: unknown }) => !customers.includes(String(customer));
  state.customers = state.customers.filter(({ id }) => !customers.includes(id));
  state.subscriptions = state.subscriptions.filter(isKept);
  state.invoices = state.invoices.filter(isKept);
  state.sessions = state.sessions.filter(isKept);
  state.portals = state.portals.filter(isKept);
}

function declined(): ApiError {
  return new ApiError(402, "Your card was declined.", {
    type: "card_error",
    code: "card_declined",
  });
}
