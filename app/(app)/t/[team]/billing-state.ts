import { countOf, day } from "@/app/_ui/format";
import { billingIsOn } from "@/lib/billing/entitlements";
import type { BilledSubscription, BillingOverview } from "@/lib/billing/overview";
import { basicPlan, type Plan, plans } from "@/lib/billing/plans";

/* The text about a team's plan, on the billing page and in the bar on the team's other pages. */

export type BillingState = {
  sentences: string[];
  /** The label of the button to the provider's portal. */
  button: "Manage billing" | "Update card" | "Keep the plan";
  /** Whether an action is needed to keep the plan. */
  urgent: boolean;
  /** When the plan ends, if it ends by itself. */
  endsAt?: Date;
};

const basic = plans[basicPlan].name;

export function stateOf(current: Plan, billing: BillingOverview): BillingState {
  const { subscription, trialEndsAt, compedPlan, compedUntil } = billing;
  const { name } = plans[current];
  if (!billingIsOn()) return calm(`Every team has the ${name} plan. Nothing is sold here.`);
  if (subscription) return ofSubscription(subscription);
  if (compedPlan) {
    const until = compedUntil ? ` until ${day(compedUntil)}` : "";
    return calm(`You have ${name} for free${until}.`);
  }
  if (trialEndsAt) {
    const text = `${name} until ${day(trialEndsAt)}, as a trial. Then ${basic}: nothing is deleted.`;
    return { ...calm(text), endsAt: trialEndsAt };
  }
  return calm("You pay nothing.");
}

function ofSubscription(subscription: BilledSubscription): BillingState {
  const { status, interval, seats, cancelAt, currentPeriodEnd, paidFor } = subscription;
  const plan = subscription.plan ? plans[subscription.plan].name : "A plan that is no longer sold";
  if (status === "past_due" || status === "unpaid") return failed(subscription, plan);
  if (!paidFor)
    return {
      ...{ button: "Manage billing", urgent: true },
      sentences: [
        "The payment provider has not reported a renewal. Check your subscription there.",
      ],
    };
  if (cancelAt)
    return {
      ...{ button: "Keep the plan", urgent: false, endsAt: cancelAt },
      sentences: [`${plan} until ${day(cancelAt)}. Then ${basic}: nothing is deleted.`],
    };
  const paid = `Paid for ${countOf(seats, "member")}, by the ${interval ?? "month"}.`;
  const next = currentPeriodEnd ? ` The next payment is on ${day(currentPeriodEnd)}.` : "";
  const first = currentPeriodEnd ? ` The first payment is on ${day(currentPeriodEnd)}.` : "";
  return calm(status === "trialing" ? `${plan} has been bought.${first}` : paid + next);
}

function failed(
  { pastDueSince, graceEndsAt, paidFor }: BilledSubscription,
  plan: string,
): BillingState {
  const since = pastDueSince ? `The payment of ${day(pastDueSince)} failed.` : "A payment failed.";
  const then =
    paidFor && graceEndsAt
      ? ` ${plan} stays until ${day(graceEndsAt)}.`
      : ` The team is on ${basic} now.`;
  return { sentences: [since + then], button: "Update card", urgent: true };
}

const calm = (sentence: string): BillingState => ({
  ...{ sentences: [sentence], button: "Manage billing", urgent: false },
});
