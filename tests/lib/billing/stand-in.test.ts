import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, stat } from "node:fs/promises";
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import os from "node:os";
import path from "node:path";
import Stripe from "stripe";
import { afterAll, describe, expect, it, onTestFinished } from "vitest";
import { type StandIn, startStandIn } from "@/lib/billing/stand-in/start";

const secret = "whsec_test";
const site = "http://localhost:3000";

/** Receives webhooks. `answers` are the statuses of the next responses; after those, 200. */
const received: { body: string; signature: string; event: Stripe.Event }[] = [];
const answers: number[] = [];
const receiver = createServer(async (incoming, response) => {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk);
  const body = Buffer.concat(chunks).toString();
  const signature = String(incoming.headers["stripe-signature"]);
  received.push({ body, signature, event: JSON.parse(body) });
  response.writeHead(answers.shift() ?? 200).end();
});
receiver.listen(0, "127.0.0.1");
await once(receiver, "listening");
const url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/`;

const standIn = await startStandIn({ port: 0, file: null, webhook: { url, secret } });
const stripe = client(standIn);
afterAll(async () => {
  await standIn.stop();
  receiver.close();
});

function client({ origin, secretKey }: StandIn, options: Stripe.StripeConfig = {}): Stripe {
  const { hostname: host, port } = new URL(origin);
  return new Stripe(secretKey, {
    ...{ host, port, protocol: "http", telemetry: false, maxNetworkRetries: 0, ...options },
  });
}

const product = await stripe.products.create({ name: "Pro" });
const monthly = await createPrice("month", 800);
const yearly = await createPrice("year", 8000);

function createPrice(interval: "month" | "year", amount: number) {
  return stripe.prices.create({
    ...{ product: product.id, currency: "eur", unit_amount: amount, recurring: { interval } },
    lookup_key: `pro_${interval}`,
  });
}

const now = () => Math.floor(Date.now() / 1000);
const inDays = (count: number) => now() + count * 86_400;

type Order = { price?: Stripe.Price; seats?: number; trialEnd?: number; name?: string };

async function createCheckout({ price = monthly, seats = 3, trialEnd, name = "Team" }: Order = {}) {
  const customer = await stripe.customers.create({ name });
  const session = await stripe.checkout.sessions.create({
    ...{ mode: "subscription", customer: customer.id },
    line_items: [{ price: price.id, quantity: seats }],
    subscription_data: { metadata: { team: "t1" }, ...(trialEnd && { trial_end: trialEnd }) },
    ...{ success_url: `${site}/done?id={CHECKOUT_SESSION_ID}`, cancel_url: `${site}/back` },
    expires_at: now() + 3600,
  });
  return { customer: customer.id, session };
}

async function subscribe(card: "pays" | "fails-later" = "pays", order: Order = {}) {
  const { customer, session } = await createCheckout(order);
  expect(await standIn.tell({ do: "pay", checkout: session.id, card })).toMatchObject({ ok: true });
  const { data } = await stripe.subscriptions.list({ customer });
  const [subscription] = data;
  if (!subscription) throw new Error("There is no subscription.");
  return { customer, session, subscription: subscription.id, before: subscription };
}

const itemOf = (subscription: Stripe.Subscription) => {
  const [item] = subscription.items.data;
  if (!item) throw new Error("The subscription has no item.");
  return item;
};

const invoicesOf = async (customer: string) => (await stripe.invoices.list({ customer })).data;

/** Returns a customer's events in order of arrival. */
async function eventsOf(customer: string): Promise<string[]> {
  await standIn.tell({ do: "settle" });
  return received
    .filter(({ event }) => (event.data.object as { customer?: unknown }).customer === customer)
    .map(({ event }) => event.type);
}

const get = (page: string) => fetch(new URL(page, standIn.origin), { redirect: "manual" });

function post(
  page: string,
  fields: Record<string, string>,
  origin: string | null = standIn.origin,
) {
  return fetch(new URL(page, standIn.origin), {
    ...{ method: "POST", redirect: "manual", body: new URLSearchParams(fields) },
    headers: origin === null ? {} : { Origin: origin },
  });
}

async function openPortal(customer: string): Promise<string> {
  const session = await stripe.billingPortal.sessions.create({ customer, return_url: site });
  return session.url;
}

describe("the API", () => {
  it("finds prices by lookup key, as the SDK types them", async () => {
    const { data } = await stripe.prices.list({
      ...{ lookup_keys: ["pro_month", "pro_year"], active: true, expand: ["data.product"] },
    });
    expect(data.map(({ id }) => id)).toEqual([yearly.id, monthly.id]);
    expect(data[1]).toMatchObject({ unit_amount: 800, currency: "eur", product: product.id });
    expect(data[1]?.unit_amount_decimal?.toString()).toBe("800");
    expect((await stripe.prices.list({ lookup_keys: ["other"] })).data).toEqual([]);
  });

  it("gives a lookup key to another price only when told to transfer it", async () => {
    const order = { product: product.id, currency: "eur", unit_amount: 1 };
    const recurring = { interval: "month" } as const;
    const first = await stripe.prices.create({ ...order, recurring, lookup_key: "moving" });
    const again = { ...order, recurring, lookup_key: "moving" };
    await expect(stripe.prices.create(again)).rejects.toMatchObject({ param: "lookup_key" });
    const second = await stripe.prices.create({ ...again, transfer_lookup_key: true });
    expect((await stripe.prices.list({ lookup_keys: ["moving"] })).data[0]?.id).toBe(second.id);
    expect((await stripe.prices.retrieve(first.id)).lookup_key).toBeNull();
  });

  it("merges metadata, and deletes a key that is sent empty", async () => {
    const made = await stripe.customers.create({ name: "A", metadata: { team: "t", row: "r" } });
    await stripe.customers.update(made.id, { name: "B", metadata: { row: "", other: "o" } });
    expect(await stripe.customers.retrieve(made.id)).toMatchObject({ id: made.id, name: "B" });
    const found = await stripe.customers.retrieve(made.id);
    expect(found.deleted ? null : found.metadata).toEqual({ team: "t", other: "o" });
  });

  it("answers a repeated idempotency key with the first answer", async () => {
    const options = { idempotencyKey: "customer:1" };
    const first = await stripe.customers.create({ name: "Once", email: "a@example.com" }, options);
    const second = await stripe.customers.create({ email: "a@example.com", name: "Once" }, options);
    expect(second.id).toBe(first.id);
    expect((await stripe.customers.list({ email: "a@example.com" })).data).toHaveLength(1);
  });

  it("refuses an idempotency key with other parameters", async () => {
    const options = { idempotencyKey: "customer:2" };
    await stripe.customers.create({ name: "One" }, options);
    const other = stripe.customers.create({ name: "Two", email: "two@example.com" }, options);
    await expect(other).rejects.toBeInstanceOf(Stripe.errors.StripeIdempotencyError);
    expect((await stripe.customers.list({ email: "two@example.com" })).data).toEqual([]);
  });

  it("does not keep a refusal under its idempotency key", async () => {
    const options = { idempotencyKey: "customer:3" };
    await standIn.tell({ do: "down", on: true });
    await expect(stripe.customers.create({ name: "Three" }, options)).rejects.toThrow();
    await standIn.tell({ do: "down", on: false });
    expect(await stripe.customers.create({ name: "Three" }, options)).toMatchObject({
      name: "Three",
    });
  });

  it("pages through a list, the newest first", async () => {
    const email = "many@example.com";
    const made: string[] = [];
    for (let count = 0; count < 12; count++)
      made.push((await stripe.customers.create({ email })).id);
    const first = await stripe.customers.list({ email, limit: 5 });
    expect(first).toMatchObject({ has_more: true });
    expect(first.data.map(({ id }) => id)).toEqual(made.slice(-5).reverse());
    const all: string[] = [];
    for await (const { id } of stripe.customers.list({ email, limit: 5 })) all.push(id);
    expect(all).toEqual(made.reverse());
    expect(await stripe.customers.list({ email, limit: 12 })).toMatchObject({ has_more: false });
  });

  it("pages through all subscriptions of a customer, without those of another", async () => {
    const { customer, before } = await subscribe();
    await subscribe();
    for (let count = 0; count < 2; count++) {
      const session = await stripe.checkout.sessions.create({
        ...{ mode: "subscription", customer, success_url: site },
        line_items: [{ price: monthly.id, quantity: 1 }],
      });
      await standIn.tell({ do: "pay", checkout: session.id, card: "pays" });
    }
    await stripe.subscriptions.cancel(before.id);
    const list = stripe.subscriptions.list({ customer, status: "all", limit: 1 });
    const all = await list.autoPagingToArray({ limit: 10 });
    expect(all).toHaveLength(3);
    expect(all.every((each) => each.customer === customer)).toBe(true);
    expect((await stripe.subscriptions.list({ customer })).data).toHaveLength(2);
    expect((await stripe.subscriptions.list({ customer, status: "canceled" })).data).toHaveLength(
      1,
    );
  });

  it("refuses a wrong key", async () => {
    const wrong = client({ ...standIn, secretKey: "sk_test_wrong" });
    await expect(wrong.customers.create({ name: "X" })).rejects.toBeInstanceOf(
      Stripe.errors.StripeAuthenticationError,
    );
    expect((await get("/v1/customers")).status).toBe(401);
  });

  it("refuses unknown ids: 404 in the path, 400 as a parameter", async () => {
    const code = "resource_missing";
    const lookUp = stripe.subscriptions.retrieve("sub_none");
    await expect(lookUp).rejects.toMatchObject({ statusCode: 404, code });
    const portal = stripe.billingPortal.sessions.create({ customer: "cus_none" });
    await expect(portal).rejects.toMatchObject({ statusCode: 400, code, param: "customer" });
  });

  it("refuses unknown routes and unknown parameters", async () => {
    await expect(stripe.coupons.list()).rejects.toMatchObject({ statusCode: 404 });
    const unknown = stripe.customers.create({ phone: "1" });
    await expect(unknown).rejects.toMatchObject({ code: "parameter_unknown", param: "phone" });
    const { customer } = await subscribe();
    await expect(
      stripe.checkout.sessions.create({
        ...{ mode: "subscription", customer, success_url: site },
        line_items: [{ price: monthly.id }, { price: yearly.id }],
      }),
    ).rejects.toMatchObject({ param: "line_items[1][price]" });
  });

  it("refuses a huge body, and goes on", async () => {
    const huge = await fetch(`${standIn.origin}/v1/customers`, {
      ...{ method: "POST", body: `name=${"x".repeat(2_000_000)}` },
      headers: { Authorization: `Bearer ${standIn.secretKey}` },
    });
    expect(huge.status).toBe(413);
    expect(await huge.json()).toMatchObject({ error: { type: "invalid_request_error" } });
    expect((await stripe.customers.list({ limit: 1 })).data).toHaveLength(1);
  });

  it("treats __proto__ and constructor as ordinary names of fields and metadata", async () => {
    const made = await stripe.customers.create({
      metadata: JSON.parse('{"__proto__":"p","constructor":"c"}'),
    });
    expect(Object.entries(made.metadata)).toEqual([
      ["__proto__", "p"],
      ["constructor", "c"],
    ]);
    const odd = await stripe.billingPortal.configurations
      .create({ features: JSON.parse('{"constructor":{"name":"x"}}') })
      .catch((error) => error);
    expect(odd).toMatchObject({ code: "parameter_unknown" });
  });

  it("keeps portal configurations and webhook endpoints", async () => {
    const features = {
      ...{ invoice_history: { enabled: true }, payment_method_update: { enabled: true } },
      subscription_cancel: { enabled: true, mode: "at_period_end" as const },
      customer_update: { enabled: true, allowed_updates: ["email" as const, "name" as const] },
    };
    const made = await stripe.billingPortal.configurations.create({ features });
    const change = { features: { customer_update: { allowed_updates: ["tax_id" as const] } } };
    await stripe.billingPortal.configurations.update(made.id, change);
    const { data } = await stripe.billingPortal.configurations.list({ active: true, limit: 1 });
    expect(data[0]?.features).toMatchObject({
      ...{ invoice_history: { enabled: true }, subscription_cancel: { mode: "at_period_end" } },
      customer_update: { enabled: true, allowed_updates: ["tax_id"] },
    });

    const endpoint = await stripe.webhookEndpoints.create({
      ...{ url: "https://example.com/hook", enabled_events: ["invoice.paid"] },
      api_version: Stripe.API_VERSION,
    });
    expect(endpoint.secret).toMatch(/^whsec_/);
    await stripe.webhookEndpoints.update(endpoint.id, { enabled_events: ["*"] });
    const [listed] = (await stripe.webhookEndpoints.list()).data;
    expect(listed).toMatchObject({ id: endpoint.id, enabled_events: ["*"] });
    expect(listed).not.toHaveProperty("secret");
  });

  it("answers 503 while it is down", async () => {
    await standIn.tell({ do: "down", on: true });
    await expect(stripe.customers.list()).rejects.toMatchObject({ statusCode: 503 });
    await standIn.tell({ do: "down", on: false });
    expect((await stripe.customers.list({ limit: 1 })).data).toHaveLength(1);
  });

  it("carries out a request whose answer is too slow for its caller", async () => {
    const email = "slow@example.com";
    await standIn.tell({ do: "slow", milliseconds: 60_000 });
    const impatient = client(standIn, { timeout: 300 });
    await expect(impatient.customers.create({ email })).rejects.toBeInstanceOf(
      Stripe.errors.StripeConnectionError,
    );
    await standIn.tell({ do: "slow", milliseconds: 0 });
    expect((await stripe.customers.list({ email })).data).toHaveLength(1);
  });
});

describe("a checkout", () => {
  it.each<[string, Partial<Stripe.Checkout.SessionCreateParams>]>([
    ["no seats", { line_items: [{ price: monthly.id, quantity: 0 }] }],
    ["less than none", { line_items: [{ price: monthly.id, quantity: -1 }] }],
    ["an unknown price", { line_items: [{ price: "price_none", quantity: 1 }] }],
    ["a script as its way back", { success_url: "javascript:alert(1)" }],
    ["a trial of one day", { subscription_data: { trial_end: inDays(1) } }],
    ["five minutes to pay", { expires_at: now() + 300 }],
    ["two days to pay", { expires_at: inDays(2) }],
    ["another mode", { mode: "payment" }],
  ])("is not made with %s", async (_, change) => {
    const customer = (await stripe.customers.create({ name: "A" })).id;
    const made = stripe.checkout.sessions.create({
      ...{ mode: "subscription", customer, success_url: site },
      ...{ line_items: [{ price: monthly.id, quantity: 1 }], ...change },
    });
    await expect(made).rejects.toMatchObject({ statusCode: 400 });
  });

  it("shows what is bought, and leads back", async () => {
    const { session } = await createCheckout();
    const page = await (await get(session.url ?? "")).text();
    for (const text of ["Stripe, for development. No money moves.", "Pro", "3 seats × €8.00"])
      expect(page).toContain(text);
    expect(page).toMatch(/Due today<\/dt><dd>€24.00/);
    expect(page).toMatch(/<button class="primary">Pay<\/button>/);
    expect(page).toContain(`href="${site}/back">Back</a>`);
  });

  it("is paid: a subscription, its first invoice, events, and the way to the site", async () => {
    const { customer, session } = await createCheckout();
    const paid = await post(session.url ?? "", { card: "pays" });
    expect(paid.status).toBe(303);
    expect(paid.headers.get("location")).toBe(`${site}/done?id=${session.id}`);

    const [subscription, ...others] = (await stripe.subscriptions.list({ customer })).data;
    expect(others).toEqual([]);
    expect(subscription).toMatchObject({
      status: "active",
      metadata: { team: "t1" },
      trial_end: null,
    });
    const item = subscription && itemOf(subscription);
    expect(item).toMatchObject({ quantity: 3, price: { lookup_key: "pro_month" } });
    const length = (item?.current_period_end ?? 0) - (item?.current_period_start ?? 0);
    expect(length / 86_400).toBeGreaterThanOrEqual(28);
    expect(length / 86_400).toBeLessThanOrEqual(31);
    const [invoice] = await invoicesOf(customer);
    expect(invoice).toMatchObject({
      ...{ status: "paid", total: 2400, amount_paid: 2400, billing_reason: "subscription_create" },
    });
    expect(await stripe.checkout.sessions.retrieve(session.id)).toMatchObject({
      ...{ status: "complete", payment_status: "paid", url: null },
      ...{ subscription: subscription?.id, invoice: invoice?.id },
    });
    expect(await eventsOf(customer)).toEqual([
      ...["checkout.session.completed", "customer.subscription.created", "invoice.paid"],
    ]);
  });

  it("buys nothing with a declined card, and can be paid with another", async () => {
    const { customer, session } = await createCheckout();
    const declined = await post(session.url ?? "", { card: "declined" });
    expect(await declined.text()).toContain("Your card was declined.");
    expect((await stripe.subscriptions.list({ customer, status: "all" })).data).toEqual([]);
    expect(await invoicesOf(customer)).toEqual([]);
    expect(await eventsOf(customer)).toEqual([]);
    expect((await post(session.url ?? "", { card: "pays" })).status).toBe(303);
  });

  it("is paid once", async () => {
    const { customer, session } = await createCheckout();
    const page = session.url ?? "";
    await post(page, { card: "pays" });
    expect(await (await post(page, { card: "pays" })).text()).toContain("has already been paid");
    expect(await (await get(page)).text()).not.toContain("<form");
    expect((await stripe.subscriptions.list({ customer, status: "all" })).data).toHaveLength(1);
    await expect(stripe.checkout.sessions.expire(session.id)).rejects.toMatchObject({
      ...{ statusCode: 400, message: expect.stringContaining("complete") },
    });
  });

  it("sells nothing for a form without a card, of another site, or without an origin", async () => {
    const { customer, session } = await createCheckout();
    const page = session.url ?? "";
    expect(await (await post(page, { card: "toString" })).text()).toContain("Choose a card.");
    expect((await post(page, { card: "pays" }, "https://evil.example")).status).toBe(403);
    expect((await post(page, { card: "pays" }, null)).status).toBe(403);
    expect((await stripe.subscriptions.list({ customer, status: "all" })).data).toEqual([]);
  });

  it("expires when told to, and is not paid then", async () => {
    const { customer, session } = await createCheckout();
    await stripe.checkout.sessions.expire(session.id);
    expect(await (await get(session.url ?? "")).text()).toContain("This checkout has expired.");
    const outcome = await standIn.tell({ do: "pay", checkout: session.id, card: "pays" });
    expect(outcome).toEqual({ ok: false, reason: "expired" });
    await expect(stripe.checkout.sessions.expire(session.id)).rejects.toThrow("expired");
    expect(await eventsOf(customer)).toEqual(["checkout.session.expired"]);
  });

  it("expires at its time, and one made later does not", async () => {
    const { customer, session } = await createCheckout();
    await standIn.tell({ do: "skip", days: 1 });
    const { status } = await stripe.checkout.sessions.retrieve(session.id);
    expect(status).toBe("expired");
    expect(await eventsOf(customer)).toEqual(["checkout.session.expired"]);
    const later = await createCheckout();
    expect(later.session).toMatchObject({ status: "open", expires_at: expect.any(Number) });
    expect(later.session.expires_at).toBeLessThan(inDays(1));
  });

  it("begins a trial without a payment, which is due at its end", async () => {
    const trialEnd = inDays(10);
    const { customer, session } = await createCheckout({ trialEnd });
    const page = await (await get(session.url ?? "")).text();
    expect(page).toMatch(/<button class="primary">Subscribe<\/button>/);
    expect(page).toMatch(/Due today<\/dt><dd>€0.00/);
    await post(session.url ?? "", { card: "pays" });
    const [before] = (await stripe.subscriptions.list({ customer })).data;
    expect(before).toMatchObject({ status: "trialing" });
    expect((await invoicesOf(customer)).map(({ total, status }) => [total, status])).toEqual([
      [0, "paid"],
    ]);
    await standIn.tell({ do: "skip", days: 11 });
    const [after] = (await stripe.subscriptions.list({ customer })).data;
    expect(after).toMatchObject({ status: "active", trial_end: before?.trial_end });
    expect(after && itemOf(after).current_period_start).toBe(before?.trial_end);
    expect((await invoicesOf(customer)).map(({ total }) => total)).toEqual([2400, 0]);
  });

  it("keeps the given end of a trial unless time was skipped", async () => {
    const fresh = await startStandIn({ port: 0, file: null, webhook: { url: null, secret } });
    onTestFinished(() => fresh.stop());
    const sdk = client(fresh);
    const { id } = await sdk.products.create({ name: "Pro" });
    const price = await sdk.prices.create({
      ...{ product: id, currency: "eur", unit_amount: 1, recurring: { interval: "month" } },
    });
    const customer = (await sdk.customers.create({})).id;
    const trialEnd = inDays(10);
    const session = await sdk.checkout.sessions.create({
      ...{ mode: "subscription", customer, success_url: site },
      ...{ line_items: [{ price: price.id, quantity: 1 }] },
      subscription_data: { trial_end: trialEnd },
    });
    await fresh.tell({ do: "pay", checkout: session.id, card: "pays" });
    const [subscription] = (await sdk.subscriptions.list({ customer })).data;
    expect(subscription).toMatchObject({ trial_end: trialEnd });
    expect(subscription && itemOf(subscription).current_period_end).toBe(trialEnd);
    expect((await fresh.tell({ do: "state" })).deliveries).toMatchObject(
      Object.fromEntries(
        (await sdk.events.list({ limit: 3 })).data.map((event) => [event.id, { status: "off" }]),
      ),
    );
  });
});

describe("a subscription", () => {
  it.each([
    ["month", () => monthly, 2400, 31],
    ["year", () => yearly, 24_000, 366],
  ])("is renewed after a %s", async (_, price, total, days) => {
    const { customer, subscription, before } = await subscribe("pays", { price: price() });
    await standIn.tell({ do: "skip", days });
    const after = await stripe.subscriptions.retrieve(subscription);
    expect(after.status).toBe("active");
    expect(itemOf(after).current_period_start).toBe(itemOf(before).current_period_end);
    const [invoice] = await invoicesOf(customer);
    expect(invoice).toMatchObject({ status: "paid", total, billing_reason: "subscription_cycle" });
    expect(after.latest_invoice).toBe(invoice?.id);
    expect((await eventsOf(customer)).slice(3)).toEqual([
      ...["invoice.paid", "customer.subscription.updated"],
    ]);
  });

  it("is renewed once for each period that passed", async () => {
    const { customer } = await subscribe();
    await standIn.tell({ do: "skip", days: 93 });
    const totals = (await invoicesOf(customer)).map(({ total }) => total);
    expect(totals).toEqual([2400, 2400, 2400, 2400]);
  });

  it("is renewed now", async () => {
    const { customer, subscription } = await subscribe();
    await standIn.tell({ do: "renew", subscription });
    expect((await invoicesOf(customer)).map(({ status }) => status)).toEqual(["paid", "paid"]);
  });

  it("is past due after a failed payment, and recovers with another card", async () => {
    const { customer, subscription } = await subscribe("fails-later");
    await standIn.tell({ do: "skip", days: 31 });
    expect((await stripe.subscriptions.retrieve(subscription)).status).toBe("past_due");
    const [open] = await invoicesOf(customer);
    expect(open).toMatchObject({ status: "open", amount_remaining: 2400, attempt_count: 1 });
    expect((await eventsOf(customer)).slice(3)).toEqual([
      ...["invoice.payment_failed", "customer.subscription.updated"],
    ]);

    const portal = await openPortal(customer);
    expect(await (await get(portal)).text()).toContain("Unpaid: €24.00.");
    const declined = await post(portal, { do: "update-card", card: "declined" });
    const again = await get(declined.headers.get("location") ?? "");
    expect(await again.text()).toContain("Your card was declined.");
    expect((await stripe.subscriptions.retrieve(subscription)).status).toBe("past_due");

    await post(portal, { do: "update-card", card: "pays" });
    expect((await stripe.subscriptions.retrieve(subscription)).status).toBe("active");
    expect((await invoicesOf(customer))[0]).toMatchObject({ id: open?.id, status: "paid" });
    expect((await eventsOf(customer)).slice(5)).toEqual([
      ...["invoice.paid", "customer.subscription.updated"],
    ]);
  });

  it("fails its next payment when told to, and is paid when that is tried again", async () => {
    const { customer, subscription } = await subscribe();
    await standIn.tell({ do: "fail-next-payment", customer });
    await standIn.tell({ do: "renew", subscription });
    expect((await stripe.subscriptions.retrieve(subscription)).status).toBe("past_due");
    expect(await standIn.tell({ do: "renew", subscription })).toEqual({ ok: true });
    expect((await stripe.subscriptions.retrieve(subscription)).status).toBe("active");
    expect((await invoicesOf(customer)).map(({ status }) => status)).toEqual(["paid", "paid"]);
  });

  it("ends after four weeks past due", async () => {
    const { customer, subscription } = await subscribe();
    await standIn.tell({ do: "fail-next-payment", customer });
    await standIn.tell({ do: "renew", subscription });
    await standIn.tell({ do: "skip", days: 27.9 });
    expect((await stripe.subscriptions.retrieve(subscription)).status).toBe("past_due");
    await standIn.tell({ do: "skip", days: 0.2 });
    expect(await stripe.subscriptions.retrieve(subscription)).toMatchObject({
      ...{ status: "canceled", cancellation_details: { reason: "payment_failed" } },
    });
    expect((await eventsOf(customer)).at(-1)).toBe("customer.subscription.deleted");
  });

  it("is cancelled in the portal, kept, cancelled again, and ends with its period", async () => {
    const { customer, subscription, before } = await subscribe();
    const portal = await openPortal(customer);
    await post(portal, { do: "cancel", subscription });
    const end = itemOf(before).current_period_end;
    expect(await stripe.subscriptions.retrieve(subscription)).toMatchObject({
      ...{ status: "active", cancel_at_period_end: true, cancel_at: end },
    });
    await post(portal, { do: "keep", subscription });
    expect(await stripe.subscriptions.retrieve(subscription)).toMatchObject({
      ...{ cancel_at_period_end: false, cancel_at: null, canceled_at: null },
    });
    await post(portal, { do: "cancel", subscription });
    await standIn.tell({ do: "skip", days: 31 });
    expect(await stripe.subscriptions.retrieve(subscription)).toMatchObject({
      ...{ status: "canceled", ended_at: end },
    });
    expect(await invoicesOf(customer)).toHaveLength(1);
    const updated = "customer.subscription.updated";
    expect((await eventsOf(customer)).slice(3)).toEqual([
      ...[updated, updated, updated, "customer.subscription.deleted"],
    ]);
    expect(await (await get(portal)).text()).toContain("Ended on");
  });

  it("ends at once by the API, and does not change after that", async () => {
    const { customer, subscription, before } = await subscribe();
    const withInvoice = stripe.subscriptions.cancel(subscription, { invoice_now: true });
    await expect(withInvoice).rejects.toMatchObject({ param: "invoice_now" });
    const ended = await stripe.subscriptions.cancel(subscription);
    expect(ended).toMatchObject({ status: "canceled", ended_at: expect.any(Number) });
    expect((await eventsOf(customer)).at(-1)).toBe("customer.subscription.deleted");
    await expect(stripe.subscriptions.cancel(subscription)).rejects.toMatchObject({
      statusCode: 404,
    });
    const items = [{ id: itemOf(before).id, quantity: 9 }];
    await expect(stripe.subscriptions.update(subscription, { items })).rejects.toThrow("canceled");
    await standIn.tell({ do: "skip", days: 31 });
    expect(await invoicesOf(customer)).toHaveLength(1);
    expect(await standIn.tell({ do: "renew", subscription })).toEqual({
      ok: false,
      reason: "ended",
    });
  });

  it("bills nothing for this period without proration", async () => {
    const { customer, subscription, before } = await subscribe();
    const items = [{ id: itemOf(before).id, quantity: 5 }];
    await stripe.subscriptions.update(subscription, { items, proration_behavior: "none" });
    await standIn.tell({ do: "skip", days: 31 });
    expect((await invoicesOf(customer))[0]?.total).toBe(4000);
  });

  it("keeps the refund for fewer seats as credit until it is used up", async () => {
    const { customer, subscription, before } = await subscribe("pays", { seats: 10 });
    const items = [{ id: itemOf(before).id, quantity: 1 }];
    await stripe.subscriptions.update(subscription, { items });
    await standIn.tell({ do: "skip", days: 31 });
    const [invoice] = await invoicesOf(customer);
    expect(invoice).toMatchObject({ status: "paid", amount_due: 0 });
    expect(invoice?.total).toBeLessThan(0);
    expect(invoice?.ending_balance).toBe(invoice?.total);
  });

  it("refuses invalid numbers of seats and unknown items", async () => {
    const { subscription, before } = await subscribe();
    for (const quantity of [0, -1, 1e9]) {
      const items = [{ id: itemOf(before).id, quantity }];
      await expect(stripe.subscriptions.update(subscription, { items })).rejects.toThrow();
    }
    const items = [{ id: "si_none", quantity: 4 }];
    await expect(stripe.subscriptions.update(subscription, { items })).rejects.toThrow("si_none");
    expect(itemOf(await stripe.subscriptions.retrieve(subscription)).quantity).toBe(3);
  });
});

// contract.test.ts covers what it accepts.
describe("payment by the API", () => {
  it("attaches no card that is declined, unknown or another customer's", async () => {
    const [own, other] = [await stripe.customers.create(), await stripe.customers.create()];
    const attach = (card: string) => stripe.paymentMethods.attach(card, { customer: own.id });
    await expect(attach("pm_card_chargeDeclined")).rejects.toMatchObject({ code: "card_declined" });
    await expect(attach("toString")).rejects.toMatchObject({ code: "resource_missing" });
    const { id } = await attach("pm_card_visa");
    const settings = { invoice_settings: { default_payment_method: id } };
    await expect(stripe.customers.update(other.id, settings)).rejects.toThrow("No such");
    const items = [{ price: monthly.id }];
    await expect(stripe.subscriptions.create({ customer: other.id, items })).rejects.toThrow(
      "card",
    );
  });

  it("moves only the time of a test clock's customers, and only forward", async () => {
    const { testClocks } = stripe.testHelpers;
    const clock = await testClocks.create({ frozen_time: now() });
    const { id: customer } = await stripe.customers.create({ test_clock: clock.id });
    const { id } = await stripe.paymentMethods.attach("pm_card_visa", { customer });
    await stripe.customers.update(customer, { invoice_settings: { default_payment_method: id } });
    await stripe.subscriptions.create({ customer, items: [{ price: monthly.id }] });
    const other = await subscribe();
    await testClocks.advance(clock.id, { frozen_time: inDays(32) });
    expect(await invoicesOf(customer)).toHaveLength(2);
    expect(await invoicesOf(other.customer)).toHaveLength(1);
    await expect(testClocks.advance(clock.id, { frozen_time: inDays(31) })).rejects.toThrow(
      "forward",
    );
    await testClocks.del(clock.id);
    await expect(stripe.customers.retrieve(customer)).rejects.toThrow("No such customer");
  });

  it("pays an invoice once, and not with a card that fails", async () => {
    const { customer, subscription } = await subscribe("fails-later");
    await standIn.tell({ do: "renew", subscription });
    const [open] = await invoicesOf(customer);
    const pay = () => stripe.invoices.pay(`${open?.id}`);
    await expect(pay()).rejects.toMatchObject({ code: "card_declined" });
    const { id } = await stripe.paymentMethods.attach("pm_card_visa", { customer });
    await stripe.customers.update(customer, { invoice_settings: { default_payment_method: id } });
    expect(await pay()).toMatchObject({ status: "paid" });
    await expect(pay()).rejects.toThrow("already paid");
  });
});

describe("webhooks", () => {
  it("are signed as the SDK expects, with the object as it was at the event", async () => {
    await standIn.tell({ do: "hold" });
    const { customer, subscription } = await subscribe();
    await stripe.subscriptions.cancel(subscription);
    await standIn.tell({ do: "release", order: "same" });
    expect(await eventsOf(customer)).toHaveLength(4);
    const own = received.filter(({ body }) => body.includes(customer));
    for (const { body, signature, event } of own) {
      expect(stripe.webhooks.constructEvent(body, signature, secret).id).toBe(event.id);
      expect(() => stripe.webhooks.constructEvent(body, signature, "whsec_other")).toThrow();
      expect(() => stripe.webhooks.constructEvent(`${body} `, signature, secret)).toThrow();
    }
    expect(own[1]?.event).toMatchObject({
      ...{ type: "customer.subscription.created", api_version: Stripe.API_VERSION },
      data: { object: { id: subscription, status: "active" } },
    });
    expect(await stripe.events.retrieve(own[1]?.event.id ?? "")).toMatchObject({
      ...{ type: "customer.subscription.created", pending_webhooks: 0 },
    });
  });

  it.each([
    ["same", [0, 1, 2]],
    ["reverse", [2, 1, 0]],
    ["twice", [0, 1, 2, 0, 1, 2]],
  ] as const)("are held and then sent: %s", async (order, indices) => {
    await standIn.tell({ do: "hold" });
    const { customer } = await subscribe();
    expect(await eventsOf(customer)).toEqual([]);
    await standIn.tell({ do: "release", order });
    const types = ["checkout.session.completed", "customer.subscription.created", "invoice.paid"];
    expect(await eventsOf(customer)).toEqual(indices.map((index) => types[index]));
    const ids = received.filter(({ body }) => body.includes(customer)).map(({ event }) => event.id);
    expect(new Set(ids).size).toBe(3);
    const later = await subscribe();
    expect(await eventsOf(later.customer)).toEqual(types);
  });

  it("are never sent later if they were dropped", async () => {
    await standIn.tell({ do: "drop", on: true });
    const { customer, subscription } = await subscribe();
    await standIn.tell({ do: "drop", on: false });
    await standIn.tell({ do: "release", order: "same" });
    expect(await eventsOf(customer)).toEqual([]);
    await stripe.subscriptions.cancel(subscription);
    expect(await eventsOf(customer)).toEqual(["customer.subscription.deleted"]);
  });

  it("are sent again until they are accepted, before any later ones", async () => {
    answers.push(500, 302);
    const { customer } = await subscribe();
    const first = "checkout.session.completed";
    expect(await eventsOf(customer)).toEqual([
      ...[first, first, first, "customer.subscription.created", "invoice.paid"],
    ]);
  });

  it("go to a URL that is set later, with its secret", async () => {
    onTestFinished(async () => {
      await standIn.tell({ do: "webhook", url, secret });
    });
    await standIn.tell({ do: "webhook", url: `${url}other`, secret: "whsec_later" });
    const { customer } = await subscribe();
    expect(await eventsOf(customer)).toHaveLength(3);
    const last = received.at(-1);
    const { body = "", signature = "" } = last ?? {};
    expect(stripe.webhooks.constructEvent(body, signature, "whsec_later").id).toBe(last?.event.id);
  });
});

describe("the pages", () => {
  it("escape every name, and run no script", async () => {
    const name = `<script>alert("x")</script>'&`;
    const escaped = "&#60;script&#62;alert(&#34;x&#34;)&#60;/script&#62;&#39;&#38;";
    const { customer } = await subscribe("pays", { name });
    const { session } = await createCheckout({ name });
    const [invoice] = await invoicesOf(customer);
    const pages = ["/", session.url, await openPortal(customer), invoice?.hosted_invoice_url];
    for (const page of pages) {
      const answer = await get(page ?? "");
      const text = await answer.text();
      expect(answer.status).toBe(200);
      expect(text).toContain(escaped);
      expect(text).not.toContain("<script");
      const policy = answer.headers.get("content-security-policy") ?? "";
      const style = /<style>([\s\S]*?)<\/style>/.exec(text)?.[1] ?? "";
      expect(policy).toContain(createHash("sha256").update(style).digest("base64"));
      expect(policy).toMatch(/default-src 'none'.*frame-ancestors 'none'/);
      expect(text).toContain("Stripe, for development. No money moves.");
    }
  });

  it("lead to the site only from a checkout", async () => {
    const { customer, session } = await createCheckout();
    const policyOf = async (page: string | null) =>
      (await get(page ?? "")).headers.get("content-security-policy");
    expect(await policyOf(session.url)).toContain(`form-action 'self' ${site};`);
    expect(await policyOf(await openPortal(customer))).toContain("form-action 'self' ;");
  });

  it("show an invoice", async () => {
    const { customer } = await subscribe();
    const [invoice] = await invoicesOf(customer);
    const text = await (await get(invoice?.hosted_invoice_url ?? "")).text();
    for (const part of [`Invoice ${invoice?.number}`, "3 × Pro", "€24.00", "paid"])
      expect(text).toContain(part);
  });

  it("answer 404 for ids that do not exist", async () => {
    const { session } = await createCheckout();
    const pages = ["/checkout/cs_test_none", "/portal/bps_none", "/invoices/in_none", "/none"];
    for (const page of [...pages, `/portal/${session.id}`, `/checkout/${session.id}/more`])
      expect((await get(page)).status).toBe(404);
    expect((await post("/checkout/cs_test_none", { card: "pays" })).status).toBe(404);
  });

  it("do not change a subscription in another customer's portal", async () => {
    const [own, other] = [await subscribe(), await subscribe()];
    const portal = await openPortal(own.customer);
    await post(portal, { do: "cancel", subscription: other.subscription });
    const found = await stripe.subscriptions.retrieve(other.subscription);
    expect(found.cancel_at_period_end).toBe(false);
    expect(await (await get(portal)).text()).not.toContain(other.subscription);
  });

  it("control renewals, failures, time and webhooks", async () => {
    const { customer, subscription, before } = await subscribe();
    const press = async (fields: Record<string, string>) =>
      expect((await post("/", fields)).headers.get("location")).toBe("/");
    await press({ do: "hold" });
    await press({ do: "fail-next-payment", customer });
    expect(await (await get("/")).text()).toContain("The next payment will fail.");
    await press({ do: "renew", subscription });
    expect((await stripe.subscriptions.retrieve(subscription)).status).toBe("past_due");
    await press({ do: "renew", subscription });
    expect(await (await get("/")).text()).toContain("4 held.");
    await press({ do: "release", order: "reverse" });
    expect((await eventsOf(customer)).slice(3).sort()).toEqual([
      ...["customer.subscription.updated", "customer.subscription.updated"],
      ...["invoice.paid", "invoice.payment_failed"],
    ]);
    await press({ do: "drop", on: "true" });
    await press({ do: "skip" });
    await press({ do: "skip" });
    const after = await stripe.subscriptions.retrieve(subscription);
    expect(itemOf(after).current_period_end).toBeGreaterThan(itemOf(before).current_period_end);
    await press({ do: "cancel", subscription });
    expect((await stripe.subscriptions.retrieve(subscription)).status).toBe("canceled");
    await press({ do: "drop", on: "false" });
    expect(await eventsOf(customer)).toHaveLength(7);
  });

  it("do nothing for a button that does not exist, or of another site", async () => {
    const { subscription } = await subscribe();
    const odd = await post("/", { do: "down", on: "true" });
    expect(odd.headers.get("location")).toBe("/?notice=missing");
    const fields = { do: "cancel", subscription };
    expect((await post("/", fields, "http://127.0.0.1:1")).status).toBe(403);
    expect((await stripe.subscriptions.retrieve(subscription)).status).toBe("active");
  });

  it("refuse a host that is not this machine", async () => {
    const headers = { Host: "evil.example" };
    const { port } = new URL(standIn.origin);
    const answer = await new Promise<number | undefined>((resolve, reject) => {
      const sent = request({ host: "127.0.0.1", port, path: "/", headers }, (response) => {
        response.resume();
        resolve(response.statusCode);
      });
      sent.on("error", reject).end();
    });
    expect(answer).toBe(421);
  });
});

describe("startStandIn", () => {
  it("keeps its state in a file of the owner alone", async () => {
    const file = path.join(
      await mkdtemp(path.join(os.tmpdir(), "stand-in-")),
      "deep",
      "state.json",
    );
    const options = { port: 0, file, webhook: { url: null, secret } };
    const first = await startStandIn(options);
    const made = await client(first).customers.create({ name: "Kept" }, { idempotencyKey: "kept" });
    await first.tell({ do: "skip", days: 3 });
    await first.stop();
    if (process.platform !== "win32") expect((await stat(file)).mode & 0o777).toBe(0o600);

    const second = await startStandIn(options);
    onTestFinished(() => second.stop());
    const again = client(second);
    expect(await again.customers.retrieve(made.id)).toMatchObject({ name: "Kept" });
    const repeated = await again.customers.create({ name: "Kept" }, { idempotencyKey: "kept" });
    expect(repeated.id).toBe(made.id);
    expect((await second.tell({ do: "state" })).skipped).toBe(3 * 86_400);
  });

  it("ends with the process that started it, and answers no command after that", async () => {
    const other = await startStandIn({ port: 0, file: null, webhook: { url: null, secret } });
    const ended = once(other.process, "exit");
    other.process.disconnect();
    await ended;
    await expect(other.tell({ do: "state" })).rejects.toThrow("has ended");
    await other.stop();
  });

  it("says when its port is taken", async () => {
    const { port } = new URL(standIn.origin);
    const options = { port: Number(port), file: null, webhook: { url: null, secret } };
    await expect(startStandIn(options)).rejects.toThrow("did not start");
  });
});
