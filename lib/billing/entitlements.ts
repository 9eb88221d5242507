import { type SQL, sql } from "drizzle-orm";
import { billingCustomers, subscriptions } from "@/lib/db/schema/billing";
import { interval } from "@/lib/db/sql";
import { billingEnv, EnvError } from "@/lib/env";
import { basicPlan, isPaidPlan, isPlan, type Plan, plans, trialPlan } from "./plans";
import { billingPolicy } from "./policy";

/*
 * Owns the answer which plan a team has now. It is SQL, so that the lookup of a request has it in its one
 * statement, and the function that enforces a limit reads it under the team's lock. The security fact: it
 * depends on rows that sync.ts or an administrator wrote, and on the clock of the database. A subscription
 * whose renewal we do not learn of ends by itself.
 */

/** Whether teams can buy a plan here: the two variables of the payment provider are set. */
export function billingIsOn(): boolean {
  return billingEnv().STRIPE_SECRET_KEY !== undefined;
}

/** The plan of every team where nothing is sold. Throws where the environment names none. */
export function offPlan(): Plan {
  const { BILLING_OFF_PLAN: plan } = billingEnv();
  if (!isPlan(plan))
    throw new EnvError(`BILLING_OFF_PLAN must be one of: ${Object.keys(plans).join(", ")}.`);
  return plan;
}

/** The plan of the team whose row is named `teams`. Asked for at each call, so not before `env()` is known. */
export function entitledPlan(): SQL<Plan> {
  if (!billingIsOn()) return word(offPlan()) as SQL<Plan>;
  return sql<Plan>`coalesce(${paidPlan},
    case when teams.comped_until > now() and teams.comped_plan in (${words(Object.keys(plans))})
      then teams.comped_plan end,
    case when teams.trial_ends_at > now() then ${word(trialPlan)} end,
    ${word(basicPlan)})`;
}

/** Whether a subscription, named `b`, counts. `past_due` counts for a while, so that a new card can come. */
export const isPaidFor: SQL = sql`(b.ended_at is null and (
  (b.status in ('active', 'trialing') and b.current_period_end > now() - ${interval(billingPolicy.lease)})
  or (b.status = 'past_due' and b.past_due_since > now() - ${interval(billingPolicy.grace)})))`;

const paidPlan = sql`(
  select b.plan from ${billingCustomers} c join ${subscriptions} b on b.customer_id = c.customer_id
  where c.team_id = teams.id and b.plan in (${words(Object.keys(plans).filter(isPaidPlan))})
    and ${isPaidFor}
  order by b.current_period_end desc limit 1)`;

/** Words of ours as literals, so that a prepared statement has its plan for all teams. */
function words(all: string[]): SQL {
  return sql.join(all.map(word), sql`, `);
}

function word(text: string): SQL {
  return sql.raw(`'${text}'`);
}
