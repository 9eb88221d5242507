import { createHash } from "node:crypto";
import type Stripe from "stripe";
import {
  type Account,
  type Act,
  execute,
  isCard,
  itemOf,
  type Outcome,
  openInvoices,
  type Refusal,
} from "./control";
import { type Card, cards, clock, type State } from "./objects";

/*
 * Owns the pages of the stand-in: checkout, portal, invoice, and the control page. They need no JavaScript. The
 * security facts: every value is escaped by `html`, a page runs no script (CSP), and a portal changes only what
 * is of its customer. Whether a form comes from here is checked in server.ts.
 */

export type Page = { status: number; body: string; headers: Record<string, string> };

/** `form` is null for a GET. */
export function showPage(
  account: Account,
  path: string,
  query: URLSearchParams,
  form: URLSearchParams | null,
): Page {
  const { state } = account;
  const [, kind = "", id = "", more] = path.split("/");
  const session = state.sessions.find((each) => each.id === id);
  const portal = state.portals.find((each) => each.id === id);
  const invoice = state.invoices.find((each) => each.id === id);
  const notice = query.get("notice") ?? "";
  if (path === "/") return form ? control(account, form) : controlPage(account, notice);
  if (more === undefined && kind === "checkout" && session)
    return form ? pay(account, session, form) : checkoutPage(state, session);
  if (more === undefined && kind === "portal" && portal)
    return form ? changeInPortal(account, portal, form) : portalPage(state, portal, notice);
  if (more === undefined && kind === "invoices" && invoice && !form) return invoicePage(invoice);
  return document("Not found", html`<p>There is no such page.</p>`, { status: 404 });
}

function pay(account: Account, session: Stripe.Checkout.Session, form: URLSearchParams): Page {
  const card = form.get("card");
  if (!isCard(card)) return checkoutPage(account.state, session, "Choose a card.");
  const outcome = execute(account, { do: "pay", checkout: session.id, card });
  if (outcome.ok) return seeOther(outcome.url ?? "/");
  return checkoutPage(account.state, session, refusals[outcome.reason]);
}

function changeInPortal(
  account: Account,
  portal: Stripe.BillingPortal.Session,
  form: URLSearchParams,
): Page {
  const { state } = account;
  const [act, card, subscription] = ["do", "card", "subscription"].map((name) => form.get(name));
  const own = state.subscriptions.find(
    ({ id, customer }) => id === subscription && customer === portal.customer,
  );
  let outcome: Outcome = { ok: false, reason: "missing" };
  if (act === "update-card" && isCard(card))
    outcome = execute(account, { do: act, customer: portal.customer, card });
  else if ((act === "cancel" || act === "keep") && own)
    outcome = execute(account, { do: act, subscription: own.id });
  return seeOther(`/portal/${portal.id}?notice=${outcome.ok ? act : outcome.reason}`);
}

function control(account: Account, form: URLSearchParams): Page {
  const act = readAct(form);
  const outcome: Outcome = act ? execute(account, act) : { ok: false, reason: "missing" };
  return seeOther(outcome.ok ? "/" : `/?notice=${outcome.reason}`);
}

/** What the buttons of the control page send. */
function readAct(form: URLSearchParams): Act | null {
  const subscription = form.get("subscription") ?? "";
  const [act, order] = [form.get("do"), form.get("order")];
  switch (act) {
    case "renew":
      return { do: act, subscription };
    case "cancel":
      return { do: act, subscription, now: true };
    case "fail-next-payment":
      return { do: act, customer: form.get("customer") ?? "" };
    case "skip":
      return { do: act, days: 30 };
    case "hold":
      return { do: act };
    case "drop":
      return { do: act, on: form.get("on") === "true" };
    case "release":
      return order === "same" || order === "reverse" || order === "twice"
        ? { do: act, order }
        : null;
    default:
      return null;
  }
}

const refusals: Record<Refusal["reason"], string> = {
  declined: "Your card was declined.",
  "payment-failed": "The card was saved, but the payment failed.",
  expired: "This checkout has expired.",
  complete: "This checkout has been paid already.",
  ended: "This subscription has ended.",
  missing: "That does not exist.",
};

const notices: Record<string, string> = {
  "update-card": "The card was saved.",
  cancel: "The subscription ends with its period.",
  keep: "The subscription goes on.",
};

const cardNames: Record<Card, [number: string, effect: string]> = {
  pays: ["4242 4242 4242 4242", "pays"],
  declined: ["4000 0000 0000 0002", "is declined"],
  "fails-later": ["4000 0000 0000 0341", "pays now, fails at renewal"],
};

function checkoutPage(state: State, session: Stripe.Checkout.Session, problem?: string): Page {
  const order = state.orders[session.id];
  const price = state.prices.find(({ id }) => id === order?.price);
  const back = session.cancel_url && html`<a class="back" href="${session.cancel_url}">Back</a>`;
  if (session.status !== "open" || !order || !price) {
    const status = session.status === "complete" ? "complete" : "expired";
    return document("Checkout", html`<p role="status">${refusals[status]}</p>${back}`);
  }
  const product = productName(state, price);
  const total = money((price.unit_amount ?? 0) * order.seats, price.currency);
  const each = `${seats(order.seats)} × ${money(price.unit_amount ?? 0, price.currency)}`;
  const isTrial = order.trialEnd !== null && order.trialEnd + order.skipped > clock(state);
  const body = html`
    ${alert(problem)}
    <section class="card">
      <dl>
        <div><dt>Customer</dt><dd>${customerName(state, String(session.customer))}</dd></div>
        <div><dt>${product}</dt><dd>${each} ${interval(price)}</dd></div>
        ${isTrial && html`<div><dt>Free until</dt><dd>${date(order.trialEnd)}</dd></div>`}
        <div class="total"><dt>Due today</dt><dd>${isTrial ? money(0, price.currency) : total}</dd></div>
        ${isTrial && html`<div><dt>Then</dt><dd>${total} ${interval(price)}</dd></div>`}
      </dl>
    </section>
    <form method="post" class="card">
      ${cardChoice()}
      <button class="primary">${isTrial ? "Subscribe" : "Pay"}</button>
    </form>
    ${back}`;
  const target = new URL(session.success_url ?? "http://localhost").origin;
  return document(`Subscribe to ${product}`, body, { formTarget: target });
}

function portalPage(state: State, portal: Stripe.BillingPortal.Session, notice: string): Page {
  const subscriptions = state.subscriptions
    .filter(({ customer }) => customer === portal.customer)
    .toReversed();
  const invoices = state.invoices
    .filter(({ customer }) => customer === portal.customer)
    .toReversed();
  const card = state.cards[portal.customer];
  const body = html`
    ${message(notice)}
    <h2>Subscription</h2>
    ${subscriptions.length === 0 && html`<p>There is no subscription.</p>`}
    ${subscriptions.map((each) => html`<section class="card">${portalSubscription(state, each)}</section>`)}
    <h2>Card</h2>
    <form method="post" class="card">
      <p>Now: ${card ? cardNames[card].join(", ") : "no card"}</p>
      ${cardChoice()}
      <button name="do" value="update-card">Update card</button>
    </form>
    <h2>Invoices</h2>
    ${invoices.length === 0 && html`<p>There are no invoices.</p>`}
    <ul class="rows">${invoices.map(
      (each) => html`<li>
        <a href="/invoices/${each.id}">${each.number}</a><span>${date(each.created)}</span>
        <span>${money(each.total, each.currency)}</span>${badge(each.status)}
      </li>`,
    )}</ul>
    ${portal.return_url && html`<a class="back" href="${portal.return_url}">Back to the site</a>`}`;
  return document(`Billing of ${customerName(state, portal.customer)}`, body);
}

function portalSubscription(state: State, subscription: Stripe.Subscription): Html {
  const { id, ended_at, cancel_at_period_end } = subscription;
  const act = cancel_at_period_end ? "keep" : "cancel";
  return html`${description(state, subscription)}
    ${
      ended_at === null &&
      html`<form method="post">
        <input type="hidden" name="subscription" value="${id}">
        <button name="do" value="${act}">${act === "keep" ? "Keep" : "Cancel"}</button>
      </form>`
    }`;
}

function description(state: State, subscription: Stripe.Subscription): Html {
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

function invoicePage(invoice: Stripe.Invoice): Page {
  const { currency, lines, customer_name, customer_email, created, total } = invoice;
  const credit = invoice.amount_due - total;
  const body = html`
    <p>${customer_name} ${customer_email} · ${date(created)} ${badge(invoice.status)}</p>
    <section class="card"><dl>
      ${lines.data.map(
        ({ description, amount }) =>
          html`<div><dt>${description}</dt><dd>${money(amount, currency)}</dd></div>`,
      )}
      <div class="total"><dt>Total</dt><dd>${money(total, currency)}</dd></div>
      ${credit !== 0 && html`<div><dt>Credit</dt><dd>${money(credit, currency)}</dd></div>`}
      <div><dt>Paid</dt><dd>${money(invoice.amount_paid, currency)}</dd></div>
    </dl></section>`;
  return document(`Invoice ${invoice.number}`, body);
}

function controlPage({ state, webhook }: Account, notice: string): Page {
  const held = Object.values(state.deliveries).filter(({ status }) => status === "held").length;
  const modes = { send: "Events are sent.", hold: "Events are held.", drop: "Events are dropped." };
  const isDropping = state.webhooks === "drop";
  const body = html`
    ${message(notice)}
    <h2>Time</h2>
    <section class="card">
      <p>It is ${date(clock(state))} here${state.skipped > 0 && `, ${Math.round(state.skipped / 86_400)} days ahead`}.</p>
      ${button("Go on 30 days", { do: "skip" })}
    </section>
    <h2>Customers</h2>
    ${state.customers.length === 0 && html`<p>There are no customers.</p>`}
    ${state.customers.toReversed().map((customer) => customerSection(state, customer))}
    <h2>Webhooks</h2>
    <section class="card">
      <p>${modes[state.webhooks]} ${held > 0 && `${held} held.`} ${webhook.url ?? "No URL is set."}</p>
      <div class="buttons">
        ${button("Hold", { do: "hold" })}
        ${button("Send held in order", { do: "release", order: "same" })}
        ${button("Send held in reverse", { do: "release", order: "reverse" })}
        ${button("Send held twice", { do: "release", order: "twice" })}
        ${button(isDropping ? "Stop dropping" : "Drop", { do: "drop", on: String(!isDropping) })}
      </div>
    </section>
    <h2>Recent events</h2>
    ${state.events.length === 0 && html`<p>There are no events.</p>`}
    <ul class="rows">${state.events
      .slice(-30)
      .toReversed()
      .map(({ id, type, created }) => {
        const delivery = state.deliveries[id];
        return html`<li>
          <code>${type}</code><span>${date(created)}</span>
          ${badge(delivery?.status ?? null)}<small>${delivery?.status !== "delivered" && delivery?.answer}</small>
        </li>`;
      })}</ul>`;
  return document("Stripe, for development", body);
}

function customerSection(state: State, { id, name, email }: Stripe.Customer): Html {
  const subscriptions = state.subscriptions.filter(({ customer }) => customer === id);
  const card = state.cards[id];
  return html`<section class="card" aria-label="${name ?? id}">
    <h3>${name ?? id}</h3>
    <p>${email} <small>${id}</small></p>
    <p>${card ? `Card: ${cardNames[card].join(", ")}.` : "No card."}
      ${state.failNext.includes(id) && html`<strong>The next payment fails.</strong>`}</p>
    ${subscriptions.toReversed().map(
      (each) => html`<div class="inner">${description(state, each)}
        ${
          each.ended_at === null &&
          html`<div class="buttons">
            ${button("Renew now", { do: "renew", subscription: each.id })}
            ${button("Cancel now", { do: "cancel", subscription: each.id })}
          </div>`
        }</div>`,
    )}
    ${button("Let the next payment fail", { do: "fail-next-payment", customer: id })}
  </section>`;
}

function button(label: string, fields: Record<string, string>): Html {
  const inputs = Object.entries(fields).map(
    ([name, value]) => html`<input type="hidden" name="${name}" value="${value}">`,
  );
  return html`<form method="post">${inputs}<button>${label}</button></form>`;
}

function cardChoice(): Html {
  return html`<fieldset><legend>Test card</legend>${cards.map(
    (card, index) => html`<label>
      <input type="radio" name="card" value="${card}"${index === 0 && " checked"}>
      <span>${cardNames[card][0]} <small>${cardNames[card][1]}</small></span>
    </label>`,
  )}</fieldset>`;
}

function message(notice: string): Html | false {
  const text = Object.hasOwn(notices, notice) && notices[notice];
  if (text) return html`<p role="status" class="notice">${text}</p>`;
  // One of its keys, as is asked first.
  return Object.hasOwn(refusals, notice) && alert(refusals[notice as Refusal["reason"]]);
}

function alert(text: string | undefined): Html | false {
  return text !== undefined && html`<p role="alert" class="problem">${text}</p>`;
}

function badge(status: string | null): Html {
  return html`<span class="badge ${status}">${status?.replaceAll("_", " ")}</span>`;
}

function productName(state: State, price: Stripe.Price): string {
  return state.products.find(({ id }) => id === price.product)?.name ?? "a product";
}

function customerName(state: State, id: string): string {
  const customer = state.customers.find((each) => each.id === id);
  return customer?.name ?? customer?.email ?? id;
}

const seats = (count: number) => (count === 1 ? "1 seat" : `${count} seats`);

function interval({ recurring }: Stripe.Price): string {
  const { interval = "month", interval_count: count = 1 } = recurring ?? {};
  return count === 1 ? `per ${interval}` : `every ${count} ${interval}s`;
}

function money(amount: number, currency: string): string {
  const format = new Intl.NumberFormat("en", { style: "currency", currency });
  return format.format(amount / 10 ** (format.resolvedOptions().maximumFractionDigits ?? 2));
}

function date(at: number | null): string {
  const format = new Intl.DateTimeFormat("en-GB", { dateStyle: "long", timeZone: "UTC" });
  return at === null ? "" : format.format(at * 1000);
}

/** Text that may stand in a page as it is. */
class Html {
  constructor(readonly text: string) {}
}

type Value = Html | Html[] | string | number | null | undefined | false;

/** Escapes every value that is no `Html`. */
function html(strings: TemplateStringsArray, ...values: Value[]): Html {
  return new Html(String.raw({ raw: strings }, ...values.map(markup)));
}

function markup(value: Value): string {
  if (value instanceof Html) return value.text;
  if (Array.isArray(value)) return value.map(({ text }) => text).join("");
  if (value === null || value === undefined || value === false) return "";
  return String(value).replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

function seeOther(location: string): Page {
  return { status: 303, body: "", headers: { Location: location } };
}

/** `formTarget`: the origin where a form leads in the end, which browsers check as well. */
function document(
  title: string,
  body: Html,
  { status = 200, formTarget = "" }: { status?: number; formTarget?: string } = {},
): Page {
  const page = html`<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>${title}</title>
    <link rel="icon" href="data:,">
    <style>${new Html(css)}</style>
  </head>
  <body>
    <header><a href="/">Stripe, for development. No money moves.</a></header>
    <main><h1>${title}</h1>${body}</main>
  </body>
</html>`;
  const policy = [
    ...["default-src 'none'", `style-src '${cssHash}'`, "img-src data:"],
    ...[`form-action 'self' ${formTarget}`, "base-uri 'none'", "frame-ancestors 'none'"],
  ];
  const headers = {
    ...{ "Content-Type": "text/html; charset=utf-8", "Referrer-Policy": "same-origin" },
    "Content-Security-Policy": policy.join("; "),
  };
  return { status, body: page.text, headers };
}

const css = `
:root { color-scheme: light dark; --canvas: #f6f7fb; --surface: #fff; --line: #dcdfe9; --ink: #1b1d29;
  --muted: #565b6e; --accent: #4f46c8; --on-accent: #fff; --danger: #b42318; --good: #17703f }
@media (prefers-color-scheme: dark) {
  :root { --canvas: #101118; --surface: #191b25; --line: #333747; --ink: #f1f2f7; --muted: #a7acbf;
    --accent: #a5a0ff; --on-accent: #14122e; --danger: #ff9d92; --good: #6fd49b } }
* { box-sizing: border-box }
body { margin: 0; background: var(--canvas); color: var(--ink); font: 16px/1.5 system-ui, sans-serif }
header { background: var(--accent); padding: .5rem 1rem; text-align: center; font-weight: 600 }
header a { color: var(--on-accent); text-decoration: none }
main { max-width: 44rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; overflow-wrap: anywhere }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 1rem }
h2 { font-size: 1.1rem; margin: 2rem 0 .5rem }
h3 { font-size: 1rem; margin: 0 }
p { margin: .25rem 0 }
a { color: var(--accent) }
small, dt { color: var(--muted) }
label small { display: block }
main > p { margin-bottom: .75rem }
.card p { margin: 0 }
.card { display: grid; gap: .75rem; margin: 0 0 1rem; padding: 1rem; background: var(--surface);
  border: 1px solid var(--line); border-radius: .75rem }
.inner { border-top: 1px solid var(--line); padding-top: .75rem; display: grid; gap: .5rem }
.buttons { display: flex; flex-wrap: wrap; gap: .5rem }
dl { margin: 0; display: grid; gap: .5rem }
dl div { display: flex; justify-content: space-between; gap: 1rem }
dd { margin: 0; text-align: right }
.total dd, .total dt { font-weight: 700; color: var(--ink) }
fieldset { border: 0; margin: 0 0 .75rem; padding: 0; display: grid; gap: .5rem }
legend { font-weight: 600; padding: 0; margin-bottom: .5rem }
label { display: flex; gap: .75rem; align-items: center; padding: .6rem .75rem; cursor: pointer;
  border: 1px solid var(--line); border-radius: .5rem; font-variant-numeric: tabular-nums }
input { accent-color: var(--accent) }
button { font: inherit; font-weight: 600; padding: .5rem .9rem; min-height: 2.5rem; cursor: pointer;
  border-radius: .5rem; border: 1px solid var(--line); background: var(--canvas); color: var(--ink) }
button.primary { width: 100%; background: var(--accent); border-color: var(--accent); color: var(--on-accent) }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px }
.rows { list-style: none; margin: 0; padding: 0 }
.rows li { display: flex; flex-wrap: wrap; gap: .25rem 1rem; padding: .6rem 0; align-items: center;
  border-bottom: 1px solid var(--line) }
.rows li > :first-child { flex: 1 1 14rem }
.badge { font-size: .8rem; font-weight: 600; padding: .1rem .5rem; border-radius: 1rem;
  border: 1px solid currentcolor; color: var(--muted) }
.active, .paid, .delivered { color: var(--good) }
.past_due, .failed, .dropped { color: var(--danger) }
.problem { color: var(--danger); font-weight: 600; margin-bottom: 1rem }
.notice { color: var(--good); font-weight: 600; margin-bottom: 1rem }
.back { display: inline-block; margin-top: 1rem }
`;

const cssHash = `sha256-${createHash("sha256").update(css).digest("base64")}`;
