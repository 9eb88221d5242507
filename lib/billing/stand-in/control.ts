import { days, seconds } from "@/lib/time";
import { type Account, customerOf, type Outcome, refuse } from "./account";
import { payCheckout, updateCard } from "./checkouts";
import type { Card, State } from "./state";
import { cancelAtPeriodEnd, cancelNow, renewNow } from "./subscriptions";
import { advance } from "./time";
import { release } from "./webhooks";

/* The commands that the pages, the tests and `npm run dev` can give to the stand-in. */

export type Act =
  | { do: "pay"; checkout: string; card: Card }
  | { do: "update-card"; customer: string; card: Card }
  | { do: "cancel"; subscription: string; now?: boolean }
  | { do: "keep"; subscription: string }
  /** Starts a new period now or, if a payment is open, retries that instead. */
  | { do: "renew"; subscription: string }
  | { do: "fail-next-payment"; customer: string }
  | { do: "skip"; days: number }
  | { do: "hold" }
  /** Sends the held events and resumes sending. "twice" repeats the whole sequence. */
  | { do: "release"; order: "same" | "reverse" | "twice" }
  | { do: "drop"; on: boolean }
  | { do: "down"; on: boolean }
  | { do: "slow"; milliseconds: number }
  | { do: "webhook"; url: string | null; secret: string };

/** "settle" is answered when no webhook is waiting to be sent, "state" with the whole state. */
export type Command = Act | { do: "settle" } | { do: "state" };

export type Answer<C extends Command> = C extends { do: "state" } ? State : Outcome;

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
