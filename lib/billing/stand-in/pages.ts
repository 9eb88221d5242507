import type Stripe from "stripe";
import type { Account, Outcome } from "./account";
import { execute } from "./control";
import { control, controlPage } from "./control-page";
import { document, type Html, html, type Page, seeOther } from "./html";
import {
  alert,
  badge,
  cardNames,
  customerName,
  date,
  description,
  interval,
  message,
  money,
  productName,
  refusals,
  seats,
} from "./labels";
import { cards, clock, isCard, type State } from "./state";

/*
 * The pages of checkout, portal and invoice. Security: a portal changes only what belongs to its
 * customer. server.ts checks whether a form comes from this site.
 */

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

function cardChoice(): Html {
  return html`<fieldset><legend>Test card</legend>${cards.map(
    (card, index) => html`<label>
      <input type="radio" name="card" value="${card}"${index === 0 && " checked"}>
      <span>${cardNames[card][0]} <small>${cardNames[card][1]}</small></span>
    </label>`,
  )}</fieldset>`;
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
      <p>Current card: ${card ? cardNames[card].join(", ") : "none"}</p>
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
