import type Stripe from "stripe";
import { type Account, itemOf, type Outcome, openInvoices, refuse } from "./account";
import { bill, charge, payOpenInvoices, settle } from "./invoices";
import { clockOf, type Line } from "./state";
import { cancellationFor, newSubscription, periodEnd } from "./subscription-objects";
import { record } from "./webhooks";

/* The life of a subscription: its start, seats, periods, cancellation and end. */

/**
 * Creates a subscription, paid at once or with a trial to `trialEnd`. The caller records its event.
 */
export function start(
  account: Account,
  customer: Stripe.Customer,
  given: Omit<Parameters<typeof newSubscription>[0], "customer" | "periodEnd">,
): { subscription: Stripe.Subscription; invoice: Stripe.Invoice } {
  const { price, trialEnd, at } = given;
  const end = trialEnd ?? periodEnd(at, price, at);
  const subscription = newSubscription({ ...given, customer: customer.id, periodEnd: end });
  account.state.subscriptions.push(subscription);
  customer.currency = price.currency;
  const invoice = bill(account, subscription, "subscription_create", at);
  settle(invoice, at);
  return { subscription, invoice };
}

export function renewNow(account: Account, subscription: Stripe.Subscription): Outcome {
  const at = timeOf(account, subscription);
  if (openInvoices(account.state, subscription.id).length > 0)
    return payOpenInvoices(account, subscription) ? { ok: true } : refuse("payment-failed");
  if (subscription.status === "trialing") subscription.trial_end = at;
  subscription.billing_cycle_anchor = at;
  startPeriod(account, subscription, at);
  return { ok: true };
}

/** Starts the next period. As at Stripe, it starts whether or not its payment succeeds. */
export function startPeriod(account: Account, subscription: Stripe.Subscription, at: number): void {
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

export function cancelNow(account: Account, subscription: Stripe.Subscription): Outcome {
  end(account, subscription, timeOf(account, subscription), "cancellation_requested");
  return { ok: true };
}

export function cancelAtPeriodEnd(
  account: Account,
  subscription: Stripe.Subscription,
  cancel: boolean,
): Outcome {
  if (subscription.cancel_at_period_end === cancel) return { ok: true };
  const at = timeOf(account, subscription);
  subscription.cancel_at_period_end = cancel;
  subscription.cancel_at = cancel ? itemOf(subscription).current_period_end : null;
  subscription.canceled_at = cancel ? at : null;
  subscription.cancellation_details = cancellationFor(cancel ? "cancellation_requested" : null);
  record(account, "customer.subscription.updated", subscription, at);
  return { ok: true };
}

/** With `prorate`, the next invoice charges or credits the rest of the period. */
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
  const at = timeOf(account, subscription);
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

export function end(
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

function timeOf({ state }: Account, { customer }: Stripe.Subscription): number {
  return clockOf(state, String(customer));
}
