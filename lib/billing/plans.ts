/*
 * Owns the plans that teams can have, and what each allows. Pure data: change a number here and it counts
 * from the next request. A limit is enforced by the function that writes, under the team's lock
 * (lib/teams/README.md); what a team has already is never deleted.
 */

/** The most of each that a team may have. Null: any number. */
export type Limits = { members: number; projects: number | null; keys: number };

export const plans = {
  free: { name: "Free", limits: { members: 3, projects: 3, keys: 2 } },
  pro: { name: "Pro", limits: { members: 100, projects: null, keys: 25 } },
} as const satisfies Record<string, { name: string; limits: Limits }>;

export type Plan = keyof typeof plans;

export function limitsOf(plan: Plan): Limits {
  return plans[plan].limits;
}
