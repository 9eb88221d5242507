import type Stripe from "stripe";
import { itemOf, openInvoices, type Refusal } from "./account";
import { type Html, html } from "./html";
import type { Card, State } from "./state";

/* Texts that several pages show: amounts, dates, cards, refusals. */

export const refusals: Record<Refusal["reason"], string> = {
  declined: "Your card was declined.",
  "payment-failed": "The card was saved, but the payment failed.",
  expired: "This checkout has expired.",
  complete: "This checkout has already been paid.",
  ended: "This subscription has ended.",
  missing: "That does not exist.",
};

const notices: Record<string, string> = {
  "update-card": "The card was saved.",
  cancel: "The subscription ends when its period does.",
  keep: "The subscription continues.",
};

export const cardNames: Record<Card, [number: string, effect: string]> = {
  pays: ["4242 4242 4242 4242", "pays"],
  declined: ["4000 0000 0000 0002", "is declined"],
  "fails-later": ["4000 0000 0000 0341", "pays now, fails at renewal"],
};

export function description(state: State, subscription: Stripe.Subscription): Html {
  const { price, quantity = 1 } = itemOf(subscription);
  const each = `${seats(quantity)} × ${money(price.unit_amount ?? 0, price.currency)}`;
  const unpaid = openInvoices(state, subscription.id).reduce((sum, one) => sum + one.amount_due, 0);
  return html`
    <p><strong>${productName(state, price)}</strong> ${badge(subscription.status)}</p>
    <p>${each} ${interval(price)}. ${nextStep(subscription)}</p>
    ${subscription.status === "past_due" && html`<p>Unpaid: ${money(unpaid, price.currency)}.</p>`}`;
}

function nextStep(subscription: Stripe.Subscription): string {
  const end = date(itemOf(subscription).current_period_end);
  if (subscription.ended_at) return `Ended on ${date(subscription.ended_at)}.`;
  if (subscription.cancel_at_period_end) return `Ends on ${end}.`;
  return subscription.status === "trialing" ? `First payment on ${end}.` : `Renews on ${end}.`;
}

export function message(notice: string): Html | false {
  const text = Object.hasOwn(notices, notice) && notices[notice];
  if (text) return html`<p role="status" class="notice">${text}</p>`;
  // A key of `refusals`, as checked first.
  return Object.hasOwn(refusals, notice) && alert(refusals[notice as Refusal["reason"]]);
}

export function alert(text: string | undefined): Html | false {
  return text !== undefined && html`<p role="alert" class="problem">${text}</p>`;
}

export function badge(status: string | null): Html {
  return html`<span class="badge ${status}">${status?.replaceAll("_", " ")}</span>`;
}

export function productName(state: State, price: Stripe.Price): string {
  return state.products.find(({ id }) => id === price.product)?.name ?? "a product";
}

export function customerName(state: State, id: string): string {
  const customer = state.customers.find((each) => each.id === id);
  return customer?.name ?? customer?.email ?? id;
}

export const seats = (count: number) => (count === 1 ? "1 seat" : `${count} seats`);

export function interval({ recurring }: Stripe.Price): string {
  const { interval = "month", interval_count: count = 1 } = recurring ?? {};
  return count === 1 ? `per ${interval}` : `every ${count} ${interval}s`;
}

export function money(amount: number, currency: string): string {
  const format = new Intl.NumberFormat("en", { style: "currency", currency });
  return format.format(amount / 10 ** (format.resolvedOptions().maximumFractionDigits ?? 2));
}

export function date(at: number | null): string {
  const format = new Intl.DateTimeFormat("en-GB", { dateStyle: "long", timeZone: "UTC" });
  return at === null ? "" : format.format(at * 1000);
}
