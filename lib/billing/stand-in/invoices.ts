import type Stripe from "stripe";
import { type Account, customerOf, itemOf, openInvoices } from "./account";
import { clockOf, type Line, type State } from "./state";
import { newInvoice } from "./subscription-objects";
import { record } from "./webhooks";

/* Creates invoices and pays them. */

/** Creates an invoice for the current period, with the lines that wait for the next invoice. */
export function bill(
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

export function charge(account: Account, invoice: Stripe.Invoice, at: number): boolean {
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

export function settle(invoice: Stripe.Invoice, at: number): void {
  invoice.status = "paid";
  invoice.status_transitions.paid_at = at;
  invoice.attempted = true;
  if (invoice.amount_due > 0) invoice.attempt_count += 1;
  invoice.amount_paid = invoice.amount_due;
  invoice.amount_remaining = 0;
}

/** Returns whether the customer's next payment was set to fail, and clears that setting. */
export function takeFailure(state: State, customer: string): boolean {
  const before = state.failNext.length;
  state.failNext = state.failNext.filter((id) => id !== customer);
  return state.failNext.length < before;
}

export function payOpenInvoices(account: Account, subscription: Stripe.Subscription): boolean {
  const at = clockOf(account.state, String(subscription.customer));
  const open = openInvoices(account.state, subscription.id);
  if (open.length === 0) return true;
  const paid = open.every((invoice) => charge(account, invoice, at));
  subscription.status = paid ? "active" : "past_due";
  if (paid) record(account, "customer.subscription.updated", subscription, at);
  return paid;
}
