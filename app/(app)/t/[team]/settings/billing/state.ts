import { billingIsOn } from "@/lib/billing/entitlements";
import type { BilledSubscription, BillingOverview } from "@/lib/billing/overview";
import { basicPlan, plans } from "@/lib/billing/plans";
import type { TeamScope } from "@/lib/teams/scope";
import { countOf, day } from "./money";
import type { Use } from "./usage";

/* What the billing page says of a team's plan. Pure. */

export type BillingState = {
  sentences: string[];
  /** Of the button to the provider's portal. */
  button: "Manage billing" | "Update card" | "Keep the plan";
  /** Something has to be done, or the plan ends. */
  urgent: boolean;
};

const basic = plans[basicPlan].name;

export function stateOf(scope: TeamScope, billing: BillingOverview, use: Use): BillingState {
  const { subscription, trialEndsAt, compedPlan, compedUntil } = billing;
  const over = overLimit(scope, use);
  if (!billingIsOn())
    return calm([
      `Every team has the ${plans[scope.plan].name} plan. Nothing is sold here.`,
      ...over,
    ]);
  if (subscription) {
    const state = ofSubscription(subscription);
    return { ...state, sentences: [...state.sentences, ...over] };
  }
  const { name } = plans[scope.plan];
  if (compedPlan) {
    const until = compedUntil ? ` until ${day(compedUntil)}` : "";
    return calm([`${name}${until}, as a gift: you pay nothing.`, ...over]);
  }
  if (trialEndsAt)
    return calm([
      `${name} until ${day(trialEndsAt)}, to try it. Then ${basic}: nothing is deleted.`,
      ...over,
    ]);
  return calm([`You pay nothing.`, ...over]);
}

function ofSubscription(subscription: BilledSubscription): BillingState {
  const { status, interval, seats, cancelAt, currentPeriodEnd, paidFor } = subscription;
  const plan = subscription.plan ? plans[subscription.plan].name : "A plan that is no longer sold";
  if (status === "past_due" || status === "unpaid") return failed(subscription, plan);
  if (!paidFor)
    return {
      ...{ button: "Manage billing", urgent: true },
      sentences: [
        "The payment provider has not told us of a renewal. Look at your subscription there.",
      ],
    };
  if (cancelAt)
    return {
      ...{ button: "Keep the plan", urgent: false },
      sentences: [`${plan} until ${day(cancelAt)}. Then ${basic}: nothing is deleted.`],
    };
  const paid = `Paid for ${countOf(seats, "member")}, by the ${interval ?? "month"}.`;
  const next = currentPeriodEnd ? ` The next payment is on ${day(currentPeriodEnd)}.` : "";
  const first = currentPeriodEnd ? ` The first payment is on ${day(currentPeriodEnd)}.` : "";
  return calm([status === "trialing" ? `${plan} is bought.${first}` : paid + next]);
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

function overLimit({ limits, plan }: TeamScope, use: Use): string[] {
  const over = [
    use.members > limits.members &&
      `${countOf(use.members, "member")}, ${plans[plan].name} has ${limits.members}`,
    limits.projects !== null &&
      use.projects > limits.projects &&
      `${countOf(use.projects, "project")}, ${plans[plan].name} has ${limits.projects}`,
    use.keys > limits.keys &&
      `${countOf(use.keys, "API key")}, ${plans[plan].name} has ${limits.keys}`,
  ].filter((text) => text !== false);
  return over.map((text) => `${text}. Nothing is lost; nothing can be added.`);
}

const calm = (sentences: string[]): BillingState => ({
  ...{ sentences, button: "Manage billing", urgent: false },
});
