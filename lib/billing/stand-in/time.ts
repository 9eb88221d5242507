import { days, seconds } from "@/lib/time";
import { type Account, itemOf, openInvoices } from "./account";
import { expireCheckout } from "./checkouts";
import { clock } from "./state";
import { end, startPeriod } from "./subscriptions";

/* Owns time: renewals, the end of what stays unpaid, and the expiry of checkouts, each at its time. */

/** How long a subscription stays past due before it ends, as the retry settings of Stripe say by default. */
const DUNNING = days(28) / seconds(1);

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
