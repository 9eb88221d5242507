import type Stripe from "stripe";
import { days, seconds } from "@/lib/time";
import { type Account, itemOf, openInvoices } from "./account";
import { expireCheckout } from "./checkouts";
import { clock, clockOf } from "./state";
import { end, startPeriod } from "./subscriptions";

/* Advances time: renews subscriptions, ends unpaid ones and expires checkouts, each when due. */

/** How long a subscription is past due before it ends: the default of Stripe's retry settings. */
const DUNNING = days(28) / seconds(1);

/** Performs everything that is due by now, in the order of its time. */
export function advance(account: Account): void {
  for (;;) {
    const due = dueTimes(account).filter(({ at, now }) => at <= now);
    const [next] = due.sort((a, b) => a.at - b.at);
    if (!next) return;
    next.happen(next.at);
    account.save();
  }
}

/** `now` is the time that decides: the customer's, or for a checkout the stand-in's. */
type Due = { at: number; now: number; happen: (at: number) => void };

function dueTimes(account: Account): Due[] {
  const { sessions, subscriptions, orders } = account.state;
  const checkouts = sessions
    .filter(({ status }) => status === "open")
    .map((session) => ({
      ...{ at: session.expires_at + (orders[session.id]?.skipped ?? 0), now: clock(account.state) },
      happen: (at: number) => expireCheckout(account, session, at),
    }));
  const running = subscriptions.filter(({ ended_at }) => !ended_at);
  const timeOf = ({ customer }: Stripe.Subscription) => clockOf(account.state, String(customer));
  return [
    ...checkouts,
    ...running.flatMap((subscription) => {
      if (subscription.status !== "past_due") return [];
      const [unpaid] = openInvoices(account.state, subscription.id);
      const giveUp = (at: number) => end(account, subscription, at, "payment_failed");
      const now = timeOf(subscription);
      return unpaid ? [{ at: unpaid.created + DUNNING, now, happen: giveUp }] : [];
    }),
    ...running.map((subscription) => ({
      ...{ at: itemOf(subscription).current_period_end, now: timeOf(subscription) },
      happen: (at: number) => startPeriod(account, subscription, at),
    })),
  ];
}
