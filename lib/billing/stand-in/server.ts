import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type Stripe from "stripe";
import { isLoopbackHost, isSameOrigin } from "@/lib/http";
import { hours, minutes, seconds } from "@/lib/time";
import {
  type Account,
  advance,
  answer,
  cancelAtPeriodEnd,
  cancelNow,
  changeSeats,
  enqueue,
  expireCheckout,
  itemOf,
  type Webhook,
} from "./control";
import {
  clock,
  emptyState,
  listOf,
  newConfiguration,
  newCustomer,
  newEndpoint,
  newPortal,
  newPrice,
  newProduct,
  newSession,
  type State,
} from "./objects";
import { showPage } from "./pages";

/*
 * The stand-in for Stripe, as a process of its own: its API and its pages. Its first argument is JSON, see
 * start.ts. The security facts: it listens on 127.0.0.1 alone, answers no request that names another host (DNS
 * rebinding), and no form of another site; the API needs the secret key. It ends with the process that started
 * it.
 */

type Options = {
  port: number;
  file: string | null;
  webhook: Webhook;
  secretKey: string;
};

const BODY_LIMIT = 256 * 1024;
/** How many answers and events are kept. */
const [KEPT_ANSWERS, KEPT_EVENTS] = [1000, 500];

/** An answer of the API that is no success, in Stripe's shape. */
class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly details: { type?: string; code?: string; param?: string } = {},
  ) {
    super(message);
  }

  get body() {
    return { error: { type: "invalid_request_error", ...this.details, message: this.message } };
  }
}

/** The parameters of a request, by the names that the SDK sends: `items[0][quantity]`. */
class Params {
  constructor(private readonly fields: URLSearchParams) {}

  names(): string[] {
    return [...this.fields.keys()];
  }

  /** The same text for the same parameters. */
  canonical(): string {
    const sorted = new URLSearchParams(this.fields);
    sorted.sort();
    return sorted.toString();
  }

  /** Null where it is absent or empty. */
  text(name: string): string | null {
    return this.fields.get(name) || null;
  }

  required(name: string): string {
    const value = this.text(name);
    if (value === null)
      throw invalid(`Missing required param: ${name}.`, name, "parameter_missing");
    return value;
  }

  integer(name: string): number | null {
    const value = this.text(name);
    if (value === null) return null;
    if (!/^-?\d{1,15}$/.test(value)) throw invalid(`Invalid integer: ${value}`, name);
    return Number(value);
  }

  flag(name: string): boolean | null {
    const value = this.text(name);
    if (value !== null && value !== "true" && value !== "false")
      throw invalid(`Invalid boolean: ${value}`, name);
    return value === null ? null : value === "true";
  }

  url(name: string): string | null {
    const value = this.text(name);
    if (value === null) return null;
    if (!/^https?:\/\//i.test(value) || !URL.canParse(value))
      throw invalid("Not a valid URL", name);
    return value;
  }

  list(name: string): string[] {
    const items = [...this.fields].filter(([key]) => plainName(key) === `${name}[]`);
    return items.map(([, value]) => value);
  }

  /** An empty value deletes its key. */
  metadata(name: string, before: Stripe.Metadata = {}): Stripe.Metadata {
    const all = new Map(Object.entries(before));
    for (const [key, value] of this.fields) {
      if (!key.startsWith(`${name}[`) || !key.endsWith("]")) continue;
      const entry = key.slice(name.length + 1, -1);
      if (value) all.set(entry, value);
      else all.delete(entry);
    }
    return Object.fromEntries(all);
  }
}

/** A name without the index of a list or the key of metadata. */
function plainName(name: string): string {
  return name
    .replace(/^(\w+)\[\d*\]$/, "$1[]")
    .replace(/metadata(\]?)\[[^[\]]+\]$/, "metadata$1[]");
}

type Call = { account: Account; state: State; params: Params; at: number; id: string };
type Route = {
  method: "GET" | "POST" | "DELETE";
  /** `:id` is the id of an object. */
  path: string;
  /** Parameters beside `expand`, which changes nothing here. */
  takes: string[];
  run(call: Call): object;
};

const routes: Route[] = [
  ...reads("products", "product", ({ products }) => products, {
    "ids[]": ({ id }) => id,
    active: ({ active }) => active,
  }),
  ...reads("prices", "price", ({ prices }) => prices, {
    active: ({ active }) => active,
    product: ({ product }) => product,
    "lookup_keys[]": ({ lookup_key }) => lookup_key,
  }),
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
  ...reads("billing_portal/configurations", "configuration", (state) => state.configurations, {
    active: ({ active }) => active,
    is_default: ({ is_default }) => is_default,
  }),
  ...reads("webhook_endpoints", "webhook_endpoint", ({ endpoints }) => endpoints, {}),
  ...reads("events", "event", ({ events }) => events, {
    type: ({ type }) => type,
    "types[]": ({ type }) => type,
  }),
  {
    ...{ method: "POST", path: "/v1/products", takes: ["name", "description", "metadata[]"] },
    run({ state, params, at }) {
      const product = newProduct({
        ...{ name: params.required("name"), description: params.text("description"), at },
        metadata: params.metadata("metadata"),
      });
      state.products.push(product);
      return product;
    },
  },
  {
    ...{ method: "POST", path: "/v1/products/:id" },
    takes: ["name", "description", "active", "metadata[]"],
    run({ state, params, id, at }) {
      const product = find(state.products, id, "product");
      product.name = params.text("name") ?? product.name;
      product.description = params.text("description") ?? product.description;
      product.active = params.flag("active") ?? product.active;
      product.metadata = params.metadata("metadata", product.metadata);
      product.updated = at;
      return product;
    },
  },
  {
    ...{ method: "POST", path: "/v1/prices" },
    takes: [
      ...["product", "currency", "unit_amount", "lookup_key", "transfer_lookup_key", "nickname"],
      ...["recurring[interval]", "recurring[interval_count]", "metadata[]"],
    ],
    run({ state, params, at }) {
      const product = params.required("product");
      find(state.products, product, "product", "product");
      const amount = params.integer("unit_amount");
      if (amount === null || amount < 0) throw invalid("Invalid unit_amount", "unit_amount");
      const interval = params.required("recurring[interval]");
      const count = params.integer("recurring[interval_count]") ?? 1;
      if (count < 1 || count > 36)
        throw invalid("Invalid recurring[interval_count]", "recurring[interval_count]");
      if (!["day", "week", "month", "year"].includes(interval))
        throw invalid("Invalid recurring[interval]", "recurring[interval]");
      const price = newPrice({
        ...{ product, amount, interval, count },
        ...{ currency: currencyOf(params), nickname: params.text("nickname"), at },
        ...{ lookupKey: takeLookupKey(state, params), metadata: params.metadata("metadata") },
      });
      state.prices.push(price);
      return price;
    },
  },
  {
    ...{ method: "POST", path: "/v1/prices/:id" },
    takes: ["active", "nickname", "lookup_key", "transfer_lookup_key", "metadata[]"],
    run({ state, params, id }) {
      const price = find(state.prices, id, "price");
      if (params.text("lookup_key") !== price.lookup_key)
        price.lookup_key = takeLookupKey(state, params) ?? price.lookup_key;
      price.active = params.flag("active") ?? price.active;
      price.nickname = params.text("nickname") ?? price.nickname;
      price.metadata = params.metadata("metadata", price.metadata);
      return price;
    },
  },
  {
    ...{ method: "POST", path: "/v1/customers" },
    takes: ["name", "email", "description", "metadata[]"],
    run({ state, params, at }) {
      const customer = newCustomer({
        ...{ name: params.text("name"), email: params.text("email"), at },
        ...{ description: params.text("description"), metadata: params.metadata("metadata") },
      });
      state.customers.push(customer);
      return customer;
    },
  },
  {
    ...{ method: "POST", path: "/v1/customers/:id" },
    takes: ["name", "email", "description", "metadata[]"],
    run({ state, params, id }) {
      const customer = find(state.customers, id, "customer");
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
  {
    ...{ method: "POST", path: "/v1/billing_portal/configurations" },
    takes: ["features*", "business_profile*", "default_return_url", "name", "metadata[]"],
    run({ state, params, at }) {
      const configuration = newConfiguration(at);
      changeConfiguration(configuration, params);
      state.configurations.push(configuration);
      return configuration;
    },
  },
  {
    ...{ method: "POST", path: "/v1/billing_portal/configurations/:id" },
    takes: ["features*", "business_profile*", "default_return_url", "name", "active", "metadata[]"],
    run({ state, params, id, at }) {
      const configuration = find(state.configurations, id, "configuration");
      const changed = structuredClone(configuration); // nothing changes where one parameter is wrong
      changeConfiguration(changed, params);
      return Object.assign(configuration, changed, { updated: at });
    },
  },
  {
    ...{ method: "POST", path: "/v1/webhook_endpoints" },
    takes: ["url", "enabled_events[]", "api_version", "description", "metadata[]"],
    run({ state, params, at }) {
      params.required("url");
      const endpoint = newEndpoint({
        ...{ url: params.url("url") ?? "", events: params.list("enabled_events"), at },
        ...{ version: params.text("api_version"), description: params.text("description") },
        metadata: params.metadata("metadata"),
      });
      if (endpoint.enabled_events.length === 0)
        throw invalid("Missing required param: enabled_events.", "enabled_events");
      state.endpoints.push(endpoint);
      return { ...endpoint, secret: `whsec_${randomBytes(24).toString("hex")}` };
    },
  },
  {
    ...{ method: "POST", path: "/v1/webhook_endpoints/:id" },
    takes: ["url", "enabled_events[]", "disabled", "description", "metadata[]"],
    run({ state, params, id }) {
      const endpoint = find(state.endpoints, id, "webhook_endpoint");
      const [events, disabled] = [params.list("enabled_events"), params.flag("disabled")];
      endpoint.url = params.url("url") ?? endpoint.url;
      if (events.length > 0) endpoint.enabled_events = events;
      if (disabled !== null) endpoint.status = disabled ? "disabled" : "enabled";
      endpoint.description = params.text("description") ?? endpoint.description;
      endpoint.metadata = params.metadata("metadata", endpoint.metadata);
      return endpoint;
    },
  },
];

/** Its times are those of the caller, whose clock "go on 30 days" does not move. */
function createCheckout({ account, state, params }: Call): object {
  if (params.required("mode") !== "subscription")
    throw invalid("The stand-in knows the mode `subscription` alone.", "mode");
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
    throw invalid(`The stand-in does not know ${proration}.`, "proration_behavior");
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

function quantityOf(params: Params, name: string): number | null {
  const quantity = params.integer(name);
  if (quantity !== null && (quantity < 1 || quantity > 999_999))
    throw invalid("This value must be greater than or equal to 1.", name);
  return quantity;
}

function currencyOf(params: Params): string {
  const currency = params.required("currency").toLowerCase();
  if (/^[a-z]{3}$/.test(currency)) return currency;
  throw invalid(`Invalid currency: ${currency}.`, "currency");
}

/** A lookup key belongs to one price; another one gets it only by a transfer. */
function takeLookupKey(state: State, params: Params): string | null {
  const key = params.text("lookup_key");
  const owner = key && state.prices.find(({ lookup_key }) => lookup_key === key);
  if (!owner) return key;
  if (!params.flag("transfer_lookup_key"))
    throw invalid(`A price (\`${owner.id}\`) already uses that lookup key.`, "lookup_key");
  owner.lookup_key = null;
  return key;
}

function defaultConfiguration(state: State, at: number): string {
  const found = state.configurations.find(({ active }) => active);
  if (found) return found.id;
  const configuration = newConfiguration(at);
  configuration.is_default = true;
  state.configurations.push(configuration);
  return configuration.id;
}

function changeConfiguration(
  configuration: Stripe.BillingPortal.Configuration,
  params: Params,
): void {
  for (const name of params.names().filter((name) => /^(features|business_profile)\[/.test(name)))
    if (!setAt(configuration, name.split(/[[\]]+/).filter(Boolean), params.text(name)))
      throw unknownParameter(name);
  configuration.default_return_url =
    params.url("default_return_url") ?? configuration.default_return_url;
  configuration.name = params.text("name") ?? configuration.name;
  configuration.active = params.flag("active") ?? configuration.active;
  configuration.metadata = params.metadata("metadata", configuration.metadata ?? {});
}

/** Sets a field that the object has already; false where it has no such field. A list is replaced. */
function setAt(target: object, names: string[], value: string | null): boolean {
  const [name = "", ...rest] = names;
  if (Array.isArray(target)) {
    if (name === "" || name === "0") target.length = 0;
    if (name !== "" && (name !== String(target.length) || rest.length > 0)) return false;
    if (name !== "") target.push(value);
    return true;
  }
  if (!Object.hasOwn(target, name)) return false;
  const fields = target as Record<string, unknown>; // `name` is its own
  const before = fields[name];
  if (typeof before === "object" && before !== null) return setAt(before, rest, value);
  if (rest.length > 0) return false;
  fields[name] = value === "true" || value === "false" ? value === "true" : value;
  return true;
}

/**
 * The routes that read one object, and the list: the newest first. A filter names the value that must be the one
 * asked for; null where none is asked for.
 */
function reads<T extends { id: string }>(
  name: string,
  kind: string,
  all: (state: State) => T[],
  filters: Record<string, (each: T, asked: string | null) => unknown>,
): Route[] {
  const path = `/v1/${name}`;
  const list = ({ state, params }: Call) => {
    const limit = params.integer("limit") ?? 10;
    if (limit < 1 || limit > 100)
      throw invalid("Invalid limit: it must be between 1 and 100.", "limit");
    const after = params.text("starting_after");
    const newest = all(state).toReversed();
    const start = after === null ? 0 : newest.findIndex(({ id }) => id === after) + 1;
    if (after !== null && start === 0) throw missing(kind, after, "starting_after");
    const found = newest.slice(start).filter((each) =>
      Object.entries(filters).every(([filter, read]) => {
        const many = filter.endsWith("[]") ? params.list(filter.slice(0, -2)) : [];
        const asked = params.text(filter);
        const value = read(each, asked);
        if (filter.endsWith("[]")) return many.length === 0 || many.includes(String(value));
        return asked === null ? value !== HIDDEN : String(value) === asked;
      }),
    );
    return listOf(found.slice(0, limit), path, found.length > limit);
  };
  const read = ({ state, id }: Call) => find(all(state), id, kind);
  const takes = [...Object.keys(filters), "limit", "starting_after"];
  return [
    { method: "GET", path, takes, run: list },
    { method: "GET", path: `${path}/:id`, takes: [], run: read },
  ];
}

/** The value of a filter for what a list without that filter leaves out. */
const HIDDEN = Symbol("hidden");

/** `param`: where the id is a parameter, and the path exists. */
function find<T extends { id: string }>(all: T[], id: string, kind: string, param?: string): T {
  const found = all.find((each) => each.id === id);
  if (!found) throw missing(kind, id, param);
  return found;
}

function missing(kind: string, id: string, param?: string): ApiError {
  const details = { code: "resource_missing", param: param ?? "id" };
  return new ApiError(param ? 400 : 404, `No such ${kind}: '${id}'`, details);
}

function invalid(message: string, param?: string, code?: string): ApiError {
  return new ApiError(400, message, { ...(code && { code }), ...(param && { param }) });
}

function unknownParameter(name: string): ApiError {
  return invalid(`Received unknown parameter: ${name}`, name, "parameter_unknown");
}

type Reply = { status: number; body: string; headers?: Record<string, string> };

/** Synchronous from the check of the idempotency key to the stored answer: two requests do not overlap. */
function callApi(
  account: Account,
  secretKey: string,
  request: IncomingMessage,
  body: string,
): Reply {
  if (request.headers.authorization !== `Bearer ${secretKey}`)
    throw new ApiError(401, "Invalid API Key provided.");
  if (account.isDown)
    throw new ApiError(503, "The stand-in is told to be down.", { type: "api_error" });
  const { pathname, search } = new URL(request.url ?? "/", account.origin);
  const { method = "GET" } = request;
  const [route, id] = findRoute(method, pathname);
  const params = new Params(new URLSearchParams(method === "POST" ? body : search));
  const key = method === "POST" ? request.headers["idempotency-key"] : undefined;
  const asked = `${pathname}?${params.canonical()}`;
  const stored = account.state.answers.find((each) => each.key === key);
  if (stored && stored.request !== asked)
    throw new ApiError(
      400,
      `Keys for idempotent requests can only be used with the same parameters they were first used with. Try using a key other than '${key}' if you meant to execute a different request.`,
      { type: "idempotency_error" },
    );
  if (stored)
    return { ...stored, headers: { "Idempotent-Replayed": "true", "Idempotency-Key": stored.key } };
  const unknown = params.names().find((name) => !isTaken(route, name));
  if (unknown) throw unknownParameter(unknown);
  advance(account);
  const { state } = account;
  const found = route.run({ account, state, params, id, at: clock(state) });
  const reply = { status: 200, body: JSON.stringify(found, null, 2) };
  if (typeof key === "string") state.answers.push({ key, request: asked, ...reply });
  if (method !== "GET") account.save();
  return reply;
}

function findRoute(method: string, pathname: string): [Route, string] {
  for (const route of routes) {
    const pattern = new RegExp(`^${route.path.replace(":id", "(\\w+)")}$`);
    const match = route.method === method && pattern.exec(pathname);
    if (match) return [route, match[1] ?? ""];
  }
  throw new ApiError(404, `Unrecognized request URL (${method}: ${pathname}).`);
}

function isTaken({ takes }: Route, name: string): boolean {
  const plain = plainName(name);
  return (
    plain === "expand[]" ||
    takes.some(
      (each) => each === plain || (each.endsWith("*") && plain.startsWith(each.slice(0, -1))),
    )
  );
}

async function answerApi(
  account: Account,
  secretKey: string,
  request: IncomingMessage,
): Promise<Reply> {
  try {
    const body = await readBody(request);
    if (body === null) throw new ApiError(413, "The request is too large.");
    const reply = callApi(account, secretKey, request, body);
    await pause(account.delay);
    return reply;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return { status: error.status, body: JSON.stringify(error.body, null, 2) };
  }
}

/** Null where it is too long; the rest is read and dropped, so that the sender gets the answer. */
async function readBody(request: IncomingMessage): Promise<string | null> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request) {
    length += chunk.length;
    if (length <= BODY_LIMIT) chunks.push(chunk);
  }
  return length > BODY_LIMIT ? null : Buffer.concat(chunks).toString("utf8");
}

async function answerPage(account: Account, request: IncomingMessage): Promise<Reply> {
  const { method = "GET", headers } = request;
  const url = new URL(request.url ?? "/", account.origin);
  if (method !== "GET" && method !== "POST") return plain(405, "Method not allowed.");
  const reader = { get: (name: string) => String(headers[name] ?? "") || null };
  if (method === "POST" && !isSameOrigin(reader, account.origin, true))
    return plain(403, "A form of another site is refused.");
  const body = await readBody(request);
  if (body === null) return plain(413, "The request is too large.");
  advance(account);
  const form = method === "POST" ? new URLSearchParams(body) : null;
  return showPage(account, url.pathname, url.searchParams, form);
}

function plain(status: number, body: string): Reply {
  return { status, body, headers: { "Content-Type": "text/plain; charset=utf-8" } };
}

async function handle(
  account: Account,
  secretKey: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const isApi = request.url?.startsWith("/v1/");
  let reply: Reply;
  try {
    if (!isLoopbackHost(request.headers.host ?? null))
      reply = plain(421, "This host is not served here.");
    else if (!URL.canParse(request.url ?? "/", account.origin)) reply = plain(400, "Bad request.");
    else if (isApi) reply = await answerApi(account, secretKey, request);
    else reply = await answerPage(account, request);
  } catch (error) {
    if (request.errored) return; // its sender has gone
    console.error("The stand-in for Stripe failed:", error);
    reply = plain(500, "The stand-in failed; its terminal says why.");
  }
  response.writeHead(reply.status, {
    ...{ "Content-Type": "application/json", "Cache-Control": "no-store" },
    "X-Content-Type-Options": "nosniff",
    "Request-Id": `req_${randomBytes(8).toString("hex")}`,
    ...reply.headers,
  });
  response.end(reply.body);
}

/** The URLs of an earlier start may have had another port. */
function readState(file: string | null, origin: string): State {
  if (!file) return emptyState();
  let state: State;
  try {
    state = JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return emptyState(); // there is none yet, or it is no JSON
  }
  if (state?.version !== emptyState().version) return emptyState();
  for (const invoice of state.invoices)
    invoice.hosted_invoice_url = `${origin}/invoices/${invoice.id}`;
  for (const portal of state.portals) portal.url = `${origin}/portal/${portal.id}`;
  for (const session of state.sessions)
    session.url = session.status === "open" ? `${origin}/checkout/${session.id}` : null;
  return state;
}

function writeState(file: string, state: State): void {
  mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
  writeFileSync(`${file}.new`, JSON.stringify(state), { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

function forgetOldest(state: State): void {
  state.answers.splice(0, state.answers.length - KEPT_ANSWERS);
  const forgotten = state.events.splice(0, Math.max(0, state.events.length - KEPT_EVENTS));
  for (const { id } of forgotten) delete state.deliveries[id];
}

const { port, file, webhook, secretKey }: Options = JSON.parse(process.argv[2] ?? "{}");
const server = createServer();
server.on("error", (error) => {
  console.error(`The stand-in for Stripe does not start: ${error.message}`);
  process.exit(1);
});
server.listen(port, "127.0.0.1");
await once(server, "listening");

const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`; // it listens on TCP
const state = readState(file, origin);
const account: Account = {
  ...{ state, origin, webhook, isDown: false, delay: 0, queue: [], sending: null },
  save() {
    forgetOldest(state);
    if (file) writeState(file, state);
  },
};
server.on("request", (request, response) => handle(account, secretKey, request, response));
setInterval(() => advance(account), seconds(1));
const unsent = state.events.filter(({ id }) => state.deliveries[id]?.status === "waiting");
enqueue(
  account,
  unsent.map(({ id }) => id),
);

process.on("message", async ({ id, command }) => {
  try {
    process.send?.({ id, answer: await answer(account, command) });
  } catch (error) {
    process.send?.({ id, error: String(error) });
  }
});
process.once("disconnect", () => process.exit());
process.send?.({ origin });
