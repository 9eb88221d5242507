import { createHmac } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import type Stripe from "stripe";
import { days, seconds } from "@/lib/time";
import {
  type Card,
  cancellationFor,
  cards,
  clock,
  type Delivery,
  type EventObjects,
  type Line,
  newEvent,
  newId,
  newInvoice,
  newSubscription,
  periodEnd,
  type State,
  type StoredEvent,
} from "./objects";

/*
 * Owns what happens at the stand-in: payments, renewals, time, and how webhooks are sent. The pages, the API and
 * the tests use the same functions. The security fact: a webhook is signed as Stripe signs it, with real time,
 * so the receiver's check is the one of production.
 */

export type Webhook = { url: string | null; secret: string };

/** The state with what is not kept in the file. */
export type Account = {
  state: State;
  origin: string;
  webhook: Webhook;
  /** Every request to the API is answered with 503. */
  isDown: boolean;
  /** Milliseconds that an answer of the API is held back after its request was carried out. */
  delay: number;
  /** Ids of the events that are still to be sent, in order. */
  queue: string[];
  sending: Promise<void> | null;
  save(): void;
};

export type Act =
  | { do: "pay"; checkout: string; card: Card }
  | { do: "update-card"; customer: string; card: Card }
  | { do: "cancel"; subscription: string; now?: boolean }
  | { do: "keep"; subscription: string }
  /** A new period begins now; where a payment is open, it is tried again instead. */
  | { do: "renew"; subscription: string }
  | { do: "fail-next-payment"; customer: string }
  | { do: "skip"; days: number }
  | { do: "hold" }
  /** Sends what was held and goes on sending. "twice" repeats the whole sequence. */
  | { do: "release"; order: "same" | "reverse" | "twice" }
  | { do: "drop"; on: boolean }
  | { do: "down"; on: boolean }
  | { do: "slow"; milliseconds: number }
  | { do: "webhook"; url: string | null; secret: string };

/** "settle" is answered when no webhook waits to be sent any more, "state" with everything. */
export type Command = Act | { do: "settle" } | { do: "state" };

export type Refusal = {
  ok: false;
  reason: "missing" | "declined" | "payment-failed" | "expired" | "complete" | "ended";
};
/** `url`: where a checkout that was paid leads. */
export type Outcome = { ok: true; url?: string } | Refusal;

export type Answer<C extends Command> = C extends { do: "state" } ? State : Outcome;

/** How long a subscription stays past due before it ends, as the retry settings of Stripe say by default. */
const DUNNING = days(28) / seconds(1);

/** Milliseconds before each try to deliver an event. */
const RETRY_PAUSES = [0, 200, seconds(1), seconds(5), seconds(20)];

export async function answer(account: Account, command: Command): Promise<Outcome | State> {
  if (command.do === "state") return account.state;
  if (command.do !== "settle") return execute(account, command);
  while (account.sending) await account.sending;
  return { ok: true };
}

export function execute(account: Account, act: Act): Outcome {
  advance(account);
  const outcome = perform(account, act);
  account.save();
  return outcome;
}

function perform(account: Account, act: Act): Outcome {
  const { state } = account;
  switch (act.do) {
    case "pay":
      return payCheckout(account, act.checkout, act.card);
    case "update-card":
      return updateCard(account, act.customer, act.card);
    case "cancel":
    case "keep":
    case "renew": {
      const subscription = state.subscriptions.find(({ id }) => id === act.subscription);
      if (!subscription) return refuse("missing");
      if (subscription.ended_at) return refuse("ended");
      if (act.do === "renew") return renewNow(account, subscription);
      if (act.do === "cancel" && act.now) return cancelNow(account, subscription);
      return cancelAtPeriodEnd(account, subscription, act.do === "cancel");
    }
    case "fail-next-payment":
      if (!customerOf(state, act.customer)) return refuse("missing");
      if (!state.failNext.includes(act.customer)) state.failNext.push(act.customer);
      return { ok: true };
    case "skip":
      state.skipped += Math.round(days(act.days) / seconds(1));
      advance(account);
      return { ok: true };
    case "hold":
      state.webhooks = "hold";
      return { ok: true };
    case "drop":
      state.webhooks = act.on ? "drop" : "send";
      return { ok: true };
    case "release":
      return release(account, act.order);
    case "down":
      account.isDown = act.on;
      return { ok: true };
    case "slow":
      account.delay = act.milliseconds;
      return { ok: true };
    case "webhook":
      account.webhook = { url: act.url, secret: act.secret };
      return { ok: true };
  }
}

/** Lets everything happen that is due by now, in the order of its time. */
export function advance(account: Account): void {
  for (;;) {
    const [next] = dueTimes(account).sort((a, b) => a.at - b.at);
    if (!next || next.at > clock(account.state)) return;
    next.happen(next.at);
    account.save();
  }
}

type Due = { at: number; happen: (at: number) => void };

function dueTimes(account: Account): Due[] {
  const { sessions, subscriptions, orders } = account.state;
  const checkouts = sessions
    .filter(({ status }) => status === "open")
    .map((session) => ({
      at: session.expires_at + (orders[session.id]?.skipped ?? 0),
      happen: (at: number) => expireCheckout(account, session, at),
    }));
  const running = subscriptions.filter(({ ended_at }) => !ended_at);
  return [
    ...checkouts,
    ...running.flatMap((subscription) => {
      if (subscription.status !== "past_due") return [];
      const [unpaid] = openInvoices(account.state, subscription.id);
      const giveUp = (at: number) => end(account, subscription, at, "payment_failed");
      return unpaid ? [{ at: unpaid.created + DUNNING, happen: giveUp }] : [];
    }),
    ...running.map((subscription) => ({
      at: itemOf(subscription).current_period_end,
      happen: (at: number) => startPeriod(account, subscription, at),
    })),
  ];
}

export function expireCheckout(
  account: Account,
  session: Stripe.Checkout.Session,
  at: number,
): void {
  session.status = "expired";
  session.url = null;
  record(account, "checkout.session.expired", session, at);
}

function payCheckout(account: Account, id: string, card: Card): Outcome {
  const { state } = account;
  const session = state.sessions.find((each) => each.id === id);
  const order = state.orders[session?.id ?? ""];
  const price = state.prices.find((each) => each.id === order?.price);
  const customer = customerOf(state, String(session?.customer));
  if (!session || !order || !price || !customer) return refuse("missing");
  if (session.status !== "open")
    return refuse(session.status === "expired" ? "expired" : "complete");
  const at = clock(state);
  const trialEnd = order.trialEnd && order.trialEnd + order.skipped;
  const trial = trialEnd !== null && trialEnd > at ? trialEnd : null;
  if (card === "declined" || (!trial && takeFailure(state, customer.id))) return refuse("declined");

  const paymentMethod = saveCard(account, customer, card);
  const subscription = newSubscription({
    ...{ customer: customer.id, price, seats: order.seats, metadata: order.metadata, at },
    ...{ paymentMethod, trialEnd: trial, periodEnd: trial ?? periodEnd(at, price, at) },
  });
  state.subscriptions.push(subscription);
  customer.currency = price.currency;
  const invoice = bill(account, subscription, "subscription_create", at);
  settle(invoice, at);
  session.status = "complete";
  session.url = null;
  session.payment_status = trial ? "no_payment_required" : "paid";
  session.subscription = subscription.id;
  session.invoice = invoice.id;
  record(account, "checkout.session.completed", session, at);
  record(account, "customer.subscription.created", subscription, at);
  record(account, "invoice.paid", invoice, at);
  return { ok: true, url: session.success_url?.replaceAll("{CHECKOUT_SESSION_ID}", session.id) };
}

/** Stripe refuses to save a card that is declined; with any other, open invoices are paid at once. */
function updateCard(account: Account, id: string, card: Card): Outcome {
  const { state } = account;
  const customer = customerOf(state, id);
  if (!customer) return refuse("missing");
  if (card === "declined") return refuse("declined");
  const paymentMethod = saveCard(account, customer, card);
  let outcome: Outcome = { ok: true };
  for (const subscription of state.subscriptions) {
    if (subscription.customer !== id || subscription.ended_at) continue;
    subscription.default_payment_method = paymentMethod;
    if (!payOpenInvoices(account, subscription)) outcome = refuse("payment-failed");
  }
  return outcome;
}

function renewNow(account: Account, subscription: Stripe.Subscription): Outcome {
  const at = clock(account.state);
  if (openInvoices(account.state, subscription.id).length > 0)
    return payOpenInvoices(account, subscription) ? { ok: true } : refuse("payment-failed");
  if (subscription.status === "trialing") subscription.trial_end = at;
  subscription.billing_cycle_anchor = at;
  startPeriod(account, subscription, at);
  return { ok: true };
}

export function cancelNow(account: Account, subscription: Stripe.Subscription): Outcome {
  end(account, subscription, clock(account.state), "cancellation_requested");
  return { ok: true };
}

export function cancelAtPeriodEnd(
  account: Account,
  subscription: Stripe.Subscription,
  cancel: boolean,
): Outcome {
  if (subscription.cancel_at_period_end === cancel) return { ok: true };
  const at = clock(account.state);
  subscription.cancel_at_period_end = cancel;
  subscription.cancel_at = cancel ? itemOf(subscription).current_period_end : null;
  subscription.canceled_at = cancel ? at : null;
  subscription.cancellation_details = cancellationFor(cancel ? "cancellation_requested" : null);
  record(account, "customer.subscription.updated", subscription, at);
  return { ok: true };
}

/** With `prorate`, the rest of the period is charged or credited on the next invoice. */
export function changeSeats(
  account: Account,
  subscription: Stripe.Subscription,
  seats: number,
  prorate: boolean,
): void {
  const { state } = account;
  const item = itemOf(subscription);
  const { quantity: before = 0, current_period_start: start, current_period_end: stop } = item;
  if (seats === before) return;
  const at = clock(state);
  const share = Math.max(0, stop - at) / Math.max(1, stop - start);
  const line = (quantity: number, sign: 1 | -1): Line => ({
    ...{ amount: sign * Math.round((item.price.unit_amount ?? 0) * quantity * share), quantity },
    ...{ description: `${sign < 0 ? "Unused" : "Remaining"} time: ${quantity} seats` },
    ...{ proration: true, period: { start: at, end: stop } },
  });
  if (prorate && subscription.status !== "trialing") {
    const pending = state.prorations[subscription.id] ?? [];
    state.prorations[subscription.id] = [...pending, line(before, -1), line(seats, 1)];
  }
  item.quantity = seats;
  record(account, "customer.subscription.updated", subscription, at);
}

/** As at Stripe, the period moves on whether or not its payment succeeds. */
function startPeriod(account: Account, subscription: Stripe.Subscription, at: number): void {
  if (subscription.cancel_at_period_end) {
    end(account, subscription, at, "cancellation_requested");
    return;
  }
  const item = itemOf(subscription);
  item.current_period_start = at;
  item.current_period_end = periodEnd(subscription.billing_cycle_anchor, item.price, at);
  const invoice = bill(account, subscription, "subscription_cycle", at);
  subscription.status = charge(account, invoice, at) ? "active" : "past_due";
  record(account, "customer.subscription.updated", subscription, at);
}

function payOpenInvoices(account: Account, subscription: Stripe.Subscription): boolean {
  const at = clock(account.state);
  const open = openInvoices(account.state, subscription.id);
  if (open.length === 0) return true;
  const paid = open.every((invoice) => charge(account, invoice, at));
  subscription.status = paid ? "active" : "past_due";
  if (paid) record(account, "customer.subscription.updated", subscription, at);
  return paid;
}

function end(
  account: Account,
  subscription: Stripe.Subscription,
  at: number,
  reason: Stripe.Subscription.CancellationDetails.Reason,
): void {
  subscription.status = "canceled";
  subscription.ended_at = at;
  subscription.canceled_at ??= at;
  subscription.cancellation_details = cancellationFor(reason);
  delete account.state.prorations[subscription.id];
  record(account, "customer.subscription.deleted", subscription, at);
}

/** An invoice over the period that the subscription is in, with what waits for its next one. */
function bill(
  account: Account,
  subscription: Stripe.Subscription,
  reason: Stripe.Invoice.BillingReason,
  at: number,
): Stripe.Invoice {
  const { state, origin } = account;
  const customer = customerOf(state, String(subscription.customer));
  if (!customer) throw new Error(`Subscription ${subscription.id} has no customer.`);
  const item = itemOf(subscription);
  const period = { start: item.current_period_start, end: item.current_period_end };
  const isTrial = subscription.status === "trialing" && reason === "subscription_create";
  const product = state.products.find(({ id }) => id === item.price.product)?.name ?? "";
  const quantity = item.quantity ?? 1;
  const line: Line = {
    ...{ amount: isTrial ? 0 : (item.price.unit_amount ?? 0) * quantity, quantity, period },
    ...{ description: isTrial ? `Trial of ${product}` : `${quantity} × ${product}` },
    proration: false,
  };
  const lines = [...(state.prorations[subscription.id] ?? []), line];
  delete state.prorations[subscription.id];
  const invoice = newInvoice({ origin, customer, subscription, lines, reason, period, at });
  state.invoices.push(invoice);
  subscription.latest_invoice = invoice.id;
  return invoice;
}

function charge(account: Account, invoice: Stripe.Invoice, at: number): boolean {
  const { state } = account;
  const id = String(invoice.customer);
  const paid = invoice.amount_due === 0 || (!takeFailure(state, id) && state.cards[id] === "pays");
  if (paid) settle(invoice, at);
  else Object.assign(invoice, { attempted: true, attempt_count: invoice.attempt_count + 1 });
  const customer = customerOf(state, id);
  if (customer) customer.delinquent = !paid;
  record(account, paid ? "invoice.paid" : "invoice.payment_failed", invoice, at);
  return paid;
}

function settle(invoice: Stripe.Invoice, at: number): void {
  invoice.status = "paid";
  invoice.status_transitions.paid_at = at;
  invoice.attempted = true;
  if (invoice.amount_due > 0) invoice.attempt_count += 1;
  invoice.amount_paid = invoice.amount_due;
  invoice.amount_remaining = 0;
}

/** Whether the customer's next payment was to fail; asking uses it up. */
function takeFailure(state: State, customer: string): boolean {
  const before = state.failNext.length;
  state.failNext = state.failNext.filter((id) => id !== customer);
  return state.failNext.length < before;
}

function saveCard({ state }: Account, customer: Stripe.Customer, card: Card): string {
  const id = newId("pm");
  state.cards[customer.id] = card;
  customer.invoice_settings.default_payment_method = id;
  return id;
}

function record<Type extends keyof EventObjects>(
  account: Account,
  type: Type,
  object: EventObjects[Type],
  at: number,
): void {
  const { state } = account;
  const event = newEvent(type, object, at);
  const status = !account.webhook.url ? "off" : statuses[state.webhooks];
  state.events.push(event);
  state.deliveries[event.id] = { status, attempts: 0, answer: null };
  if (status === "waiting") enqueue(account, [event.id]);
}

const statuses = { send: "waiting", hold: "held", drop: "dropped" } as const;

function release(account: Account, order: "same" | "reverse" | "twice"): Outcome {
  const { state } = account;
  const held = state.events
    .filter(({ id }) => state.deliveries[id]?.status === "held")
    .map(({ id }) => id);
  for (const id of held) {
    const delivery = state.deliveries[id];
    if (delivery) delivery.status = "waiting";
  }
  state.webhooks = "send";
  if (order === "reverse") enqueue(account, held.reverse());
  else enqueue(account, order === "twice" ? [...held, ...held] : held);
  return { ok: true };
}

/** One at a time: an event that cannot be delivered delays those after it. */
export function enqueue(account: Account, ids: string[]): void {
  account.queue.push(...ids);
  account.sending ??= sendAll(account);
}

async function sendAll(account: Account): Promise<void> {
  await null; // so that `sending` is set before it is cleared
  for (let id = account.queue.shift(); id; id = account.queue.shift()) {
    const event = account.state.events.find((each) => each.id === id);
    const delivery = account.state.deliveries[id];
    if (event && delivery) await deliver(account, event, delivery);
    account.save();
  }
  account.sending = null;
}

async function deliver(account: Account, event: StoredEvent, delivery: Delivery): Promise<void> {
  for (const wait of RETRY_PAUSES) {
    await pause(wait);
    delivery.attempts += 1;
    delivery.answer = await post(account.webhook, event);
    if (!/^2\d\d$/.test(delivery.answer)) continue;
    delivery.status = "delivered";
    event.pending_webhooks = 0;
    return;
  }
  delivery.status = "failed";
}

/** The status of the answer, or why there was none. */
async function post({ url, secret }: Webhook, event: StoredEvent): Promise<string> {
  if (!url) return "no URL is set";
  const body = JSON.stringify(event);
  const time = Math.floor(Date.now() / 1000);
  const signature = createHmac("sha256", secret).update(`${time}.${body}`).digest("hex");
  try {
    const response = await fetch(url, {
      ...{ method: "POST", body, redirect: "manual", signal: AbortSignal.timeout(seconds(10)) },
      headers: {
        "Content-Type": "application/json; charset=utf-8",
        "Stripe-Signature": `t=${time},v1=${signature}`,
      },
    });
    await response.body?.cancel();
    return String(response.status);
  } catch (error) {
    return error instanceof Error ? error.message : "no answer";
  }
}

export function isCard(value: unknown): value is Card {
  return cards.some((card) => card === value);
}

export function itemOf(subscription: Stripe.Subscription): Stripe.SubscriptionItem {
  const [item] = subscription.items.data;
  if (!item) throw new Error(`Subscription ${subscription.id} has no item.`);
  return item;
}

/** The oldest first. */
export function openInvoices(state: State, subscription: string): Stripe.Invoice[] {
  return state.invoices.filter(
    ({ status, parent }) =>
      status === "open" && parent?.subscription_details?.subscription === subscription,
  );
}

function customerOf(state: State, id: string): Stripe.Customer | undefined {
  return state.customers.find((customer) => customer.id === id);
}

function refuse(reason: Refusal["reason"]): Refusal {
  return { ok: false, reason };
}
