import { hours, minutes, seconds } from "@/lib/time";
import { itemOf } from "./account";
import { expireCheckout } from "./checkouts";
import { invalid, missing } from "./errors";
import { listOf } from "./fields";
import { newCustomer, newLineItem, newPortal, newSession } from "./objects";
import { quantityOf } from "./params";
import { type Call, find, HIDDEN, type Route, reads } from "./route";
import { defaultConfiguration, setUpRoutes } from "./set-up-routes";
import { clock } from "./state";
import { cancelAtPeriodEnd, cancelNow, changeSeats } from "./subscriptions";
import { DEFAULT_METHOD, setMethod, testRoutes } from "./test-routes";

/* API routes for what is sold: customers, checkouts, subscriptions, invoices, portals, events. */

export const routes: Route[] = [
  ...setUpRoutes,
  ...testRoutes,
  ...reads("customers", "customer", ({ customers }) => customers, { email: ({ email }) => email }),
  ...reads("checkout/sessions", "checkout.session", ({ sessions }) => sessions, {
    customer: ({ customer }) => customer,
    status: ({ status }) => status,
    subscription: ({ subscription }) => subscription,
  }),
  ...reads("subscriptions", "subscription", ({ subscriptions }) => subscriptions, {
    customer: ({ customer }) => customer,
    price: (each) => itemOf(each).price.id,
    status({ status, ended_at }, asked) {
      if (asked === null && ended_at) return HIDDEN;
      return asked === "all" ? asked : status;
    },
  }),
  ...reads("invoices", "invoice", ({ invoices }) => invoices, {
    customer: ({ customer }) => customer,
    status: ({ status }) => status,
    subscription: ({ parent }) => parent?.subscription_details?.subscription,
  }),
  ...reads("events", "event", ({ events }) => events, {
    type: ({ type }) => type,
    "types[]": ({ type }) => type,
  }),
  {
    ...{ method: "POST", path: "/v1/customers" },
    takes: ["name", "email", "description", "test_clock", "metadata[]"],
    run({ state, params, at }) {
      const testClock = params.text("test_clock");
      if (testClock) find(state.testClocks, testClock, "test clock", "test_clock");
      const customer = newCustomer({
        ...{ name: params.text("name"), email: params.text("email"), testClock, at },
        ...{ description: params.text("description"), metadata: params.metadata("metadata") },
      });
      state.customers.push(customer);
      return customer;
    },
  },
  {
    ...{ method: "POST", path: "/v1/customers/:id" },
    takes: ["name", "email", "description", DEFAULT_METHOD, "metadata[]"],
    run({ state, params, id }) {
      const customer = find(state.customers, id, "customer");
      setMethod(state, customer, params.text(DEFAULT_METHOD));
      customer.name = params.text("name") ?? customer.name;
      customer.email = params.text("email") ?? customer.email;
      customer.description = params.text("description") ?? customer.description;
      customer.metadata = params.metadata("metadata", customer.metadata);
      return customer;
    },
  },
  {
    ...{ method: "POST", path: "/v1/checkout/sessions" },
    takes: [
      ...["mode", "customer", "line_items[0][price]", "line_items[0][quantity]", "success_url"],
      ...["cancel_url", "expires_at", "client_reference_id", "metadata[]"],
      ...["subscription_data[trial_end]", "subscription_data[metadata][]"],
    ],
    run: createCheckout,
  },
  {
    ...{ method: "GET", path: "/v1/checkout/sessions/:id/line_items", takes: ["limit"] },
    run({ state, id }) {
      const order = state.orders[find(state.sessions, id, "checkout.session").id];
      const price = state.prices.find((each) => each.id === order?.price);
      const isTrial = order !== undefined && order.trialEnd !== null;
      const items = order && price ? [newLineItem(price, order.seats, isTrial)] : [];
      return listOf(items, `/v1/checkout/sessions/${id}/line_items`);
    },
  },
  {
    ...{ method: "POST", path: "/v1/checkout/sessions/:id/expire", takes: [] },
    run({ account, state, id, at }) {
      const session = find(state.sessions, id, "checkout.session");
      if (session.status !== "open")
        throw invalid(
          `Only Checkout Sessions with a status in ["open"] can be expired. This Checkout Session has a status of "${session.status}".`,
        );
      expireCheckout(account, session, at);
      return session;
    },
  },
  {
    ...{ method: "POST", path: "/v1/subscriptions/:id" },
    takes: [
      ...["items[0][id]", "items[0][quantity]", "proration_behavior", "cancel_at_period_end"],
      "metadata[]",
    ],
    run: updateSubscription,
  },
  {
    ...{ method: "DELETE", path: "/v1/subscriptions/:id", takes: [] },
    run({ account, state, id }) {
      const subscription = find(state.subscriptions, id, "subscription");
      if (subscription.ended_at) throw missing("subscription", id);
      cancelNow(account, subscription);
      return subscription;
    },
  },
  {
    ...{ method: "POST", path: "/v1/billing_portal/sessions" },
    takes: ["customer", "return_url", "configuration"],
    run({ account, state, params, at }) {
      const customer = params.required("customer");
      find(state.customers, customer, "customer", "customer");
      const configuration = params.text("configuration") ?? defaultConfiguration(state, at);
      find(state.configurations, configuration, "configuration", "configuration");
      const { origin } = account;
      const returnUrl = params.url("return_url");
      const portal = newPortal({ origin, customer, configuration, returnUrl, at });
      state.portals.push(portal);
      return portal;
    },
  },
];

/** A checkout's times are those of the caller, whose clock "Go on 30 days" does not move. */
function createCheckout({ account, state, params }: Call): object {
  if (params.required("mode") !== "subscription")
    throw invalid("The stand-in supports only the mode `subscription`.", "mode");
  const now = clock(state) - state.skipped;
  const customer = find(state.customers, params.required("customer"), "customer", "customer").id;
  const price = find(
    ...([state.prices, params.required("line_items[0][price]"), "price"] as const),
    "line_items[0][price]",
  );
  if (!price.active) throw invalid("The price specified is inactive.", "line_items[0][price]");
  const seats = quantityOf(params, "line_items[0][quantity]") ?? 1;
  const trialEnd = params.integer("subscription_data[trial_end]");
  if (trialEnd !== null && trialEnd < now + hours(48) / seconds(1))
    throw invalid(
      "The `trial_end` date has to be at least 2 days in the future.",
      "subscription_data[trial_end]",
    );
  const expiresAt = params.integer("expires_at") ?? now + hours(24) / seconds(1);
  // A minute of tolerance, for the time between the caller's computation and its request.
  const [shortest, longest] = [minutes(29), hours(24) + minutes(1)];
  if (expiresAt < now + shortest / seconds(1) || expiresAt > now + longest / seconds(1))
    throw invalid(
      "The `expires_at` timestamp must be between 30 minutes and 24 hours from Checkout Session creation.",
      "expires_at",
    );
  params.required("success_url");
  const session = newSession({
    ...{ origin: account.origin, customer, price, seats, trial: trialEnd !== null, expiresAt },
    ...{ successUrl: params.url("success_url") ?? "", cancelUrl: params.url("cancel_url") },
    ...{ clientReference: params.text("client_reference_id"), at: now },
    metadata: params.metadata("metadata"),
  });
  state.sessions.push(session);
  state.orders[session.id] = {
    ...{ price: price.id, seats, trialEnd, skipped: state.skipped },
    metadata: params.metadata("subscription_data[metadata]"),
  };
  return session;
}

function updateSubscription({ account, state, params, id }: Call): object {
  const subscription = find(state.subscriptions, id, "subscription");
  if (subscription.ended_at)
    throw invalid("A canceled subscription can only update its cancellation_details and metadata.");
  const proration = params.text("proration_behavior") ?? "create_prorations";
  if (proration !== "create_prorations" && proration !== "none")
    throw invalid(`The stand-in does not support ${proration}.`, "proration_behavior");
  const item = params.text("items[0][id]");
  const seats = quantityOf(params, "items[0][quantity]");
  if (item !== null && item !== itemOf(subscription).id)
    throw missing("subscription item", item, "items[0][id]");
  if (item === null && seats !== null)
    throw invalid("The stand-in needs the id of the item.", "items[0][id]");
  const cancel = params.flag("cancel_at_period_end");
  subscription.metadata = params.metadata("metadata", subscription.metadata);
  if (seats !== null) changeSeats(account, subscription, seats, proration === "create_prorations");
  if (cancel !== null) cancelAtPeriodEnd(account, subscription, cancel);
  return subscription;
}
