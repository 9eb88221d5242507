/*
 * The plans that teams can have: what each allows and what it costs. Pure data, for the pages, the
 * limits and `npm run billing:setup`, which creates the prices at the provider. A changed number
 * applies from the next request; for a price, run `billing:setup` as well. A limit is enforced by
 * the function that writes, under the team's lock (lib/teams/README.md); what a team already has is
 * never deleted.
 */

/** The maximum of each that a team may have. Null means no limit. */
export type Limits = { members: number; projects: number | null; keys: number };

export const intervals = ["month", "year"] as const;
export type Interval = (typeof intervals)[number];

/** Price per member, in the smallest unit of `currency` (cents). */
type Price = Record<Interval, number>;

type PlanData = { name: string; limits: Limits; price: Price | null };

export const plans = {
  free: { name: "Free", limits: { members: 3, projects: 3, keys: 2 }, price: null },
  pro: {
    name: "Pro",
    limits: { members: 100, projects: null, keys: 25 },
    price: { month: 800, year: 8000 },
  },
} as const satisfies Record<string, PlanData>;

export type Plan = keyof typeof plans;
export type PaidPlan = { [P in Plan]: (typeof plans)[P]["price"] extends null ? never : P }[Plan];

export const currency = "eur";

/** The plan of a team that has not bought another one. */
export const basicPlan: Plan = "free";

/** The plan that a new team tries (lib/billing/trials.ts). */
export const trialPlan: PaidPlan = "pro";

export function limitsOf(plan: Plan): Limits {
  return plans[plan].limits;
}

export function isPlan(value: unknown): value is Plan {
  return typeof value === "string" && Object.hasOwn(plans, value);
}

export function isPaidPlan(value: unknown): value is PaidPlan {
  return isPlan(value) && plans[value].price !== null;
}

/** Returns the price of one member for one interval, in cents. */
export function priceOf(plan: PaidPlan, interval: Interval): number {
  return plans[plan].price[interval];
}

/**
 * Returns the key by which the provider finds a price, so that no price's id is configured. A
 * changed amount becomes a new price under the same key.
 */
export function lookupKeyOf(plan: PaidPlan, interval: Interval): string {
  return `${plan}_${interval}`;
}
