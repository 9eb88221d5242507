import { randomBytes } from "node:crypto";
import type Stripe from "stripe";
import { invalid, unknownParameter } from "./errors";
import { newConfiguration, newEndpoint, newPrice, newProduct } from "./objects";
import { currencyOf, type Params } from "./params";
import { find, type Route, reads } from "./route";
import type { State } from "./state";

/* API routes for what is set up once: products, prices, portal configurations, webhooks. */

export const setUpRoutes: Route[] = [
  ...reads("products", "product", ({ products }) => products, {
    "ids[]": ({ id }) => id,
    active: ({ active }) => active,
  }),
  ...reads("prices", "price", ({ prices }) => prices, {
    active: ({ active }) => active,
    product: ({ product }) => product,
    "lookup_keys[]": ({ lookup_key }) => lookup_key,
  }),
  ...reads("billing_portal/configurations", "configuration", (state) => state.configurations, {
    active: ({ active }) => active,
    is_default: ({ is_default }) => is_default,
  }),
  ...reads("webhook_endpoints", "webhook_endpoint", ({ endpoints }) => endpoints, {}),
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
      const changed = structuredClone(configuration); // if one parameter is wrong, nothing changes
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

/** Returns a price's lookup key. A key belongs to one price; another gets it only by a transfer. */
export function takeLookupKey(state: State, params: Params): string | null {
  const key = params.text("lookup_key");
  const owner = key && state.prices.find(({ lookup_key }) => lookup_key === key);
  if (!owner) return key;
  if (!params.flag("transfer_lookup_key"))
    throw invalid(`A price (\`${owner.id}\`) already uses that lookup key.`, "lookup_key");
  owner.lookup_key = null;
  return key;
}

export function defaultConfiguration(state: State, at: number): string {
  const found = state.configurations.find(({ active }) => active);
  if (found) return found.id;
  const configuration = newConfiguration(at);
  configuration.is_default = true;
  state.configurations.push(configuration);
  return configuration.id;
}

export function changeConfiguration(
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

/** Sets a field that the object already has; returns false if it has none. A list is replaced. */
function setAt(target: object, names: string[], value: string | null): boolean {
  const [name = "", ...rest] = names;
  if (Array.isArray(target)) {
    if (name === "" || name === "0") target.length = 0;
    if (name !== "" && (name !== String(target.length) || rest.length > 0)) return false;
    if (name !== "") target.push(value);
    return true;
  }
  if (!Object.hasOwn(target, name)) return false;
  const fields = target as Record<string, unknown>; // `name` is an own property
  const before = fields[name];
  if (typeof before === "object" && before !== null) return setAt(before, rest, value);
  if (rest.length > 0) return false;
  fields[name] = value === "true" || value === "false" ? value === "true" : value;
  return true;
}
