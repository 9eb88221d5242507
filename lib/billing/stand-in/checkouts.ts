import type Stripe from "stripe";
import { type Account, customerOf, type Outcome, refuse } from "./account";
import { newId } from "./fields";
import { payOpenInvoices, takeFailure } from "./invoices";
import { type Card, clockOf } from "./state";
import { start } from "./subscriptions";
import { record } from "./webhooks";

/* Pays and expires checkouts, and changes a customer's card. */

export function payCheckout(account: Account, id: string, card: Card): Outcome {
  const { state } = account;
  const session = state.sessions.find((each) => each.id === id);
  const order = state.orders[session?.id ?? ""];
  const price = state.prices.find((each) => each.id === order?.price);
  const customer = customerOf(state, String(session?.customer));
  if (!session || !order || !price || !customer) return refuse("missing");
  if (session.status !== "open")
    return refuse(session.status === "expired" ? "expired" : "complete");
  const at = clockOf(state, customer.id);
  const trialEnd = order.trialEnd && order.trialEnd + order.skipped;
  const trial = trialEnd !== null && trialEnd > at ? trialEnd : null;
  if (card === "declined" || (!trial && takeFailure(state, customer.id))) return refuse("declined");

  const { subscription, invoice } = start(account, customer, {
    ...{ price, seats: order.seats, metadata: order.metadata, trialEnd: trial, at },
    paymentMethod: saveCard(account, customer, card),
  });
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

export function expireCheckout(
  account: Account,
  session: Stripe.Checkout.Session,
  at: number,
): void {
  session.status = "expired";
  session.url = null;
  record(account, "checkout.session.expired", session, at);
}

/** Saves a card and pays the open invoices with it. Like Stripe, refuses a declined card. */
export function updateCard(account: Account, id: string, card: Card): Outcome {
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

function saveCard({ state }: Account, customer: Stripe.Customer, card: Card): string {
  const id = newId("pm");
  state.cards[customer.id] = card;
  customer.invoice_settings.default_payment_method = id;
  return id;
}
