import type Stripe from "stripe";
import type { Account, Outcome } from "./account";
import { type Act, execute } from "./control";
import { document, type Html, html, type Page, seeOther } from "./html";
import { badge, cardNames, date, description, message } from "./labels";
import { clock, type State } from "./state";

/* The page for developers, and its buttons. */

export function control(account: Account, form: URLSearchParams): Page {
  const act = readAct(form);
  const outcome: Outcome = act ? execute(account, act) : { ok: false, reason: "missing" };
  return seeOther(outcome.ok ? "/" : `/?notice=${outcome.reason}`);
}

/** Returns the act that a button of the control page sends, or null if there is no such act. */
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

export function controlPage({ state, webhook }: Account, notice: string): Page {
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
      ${state.failNext.includes(id) && html`<strong>The next payment will fail.</strong>`}</p>
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
