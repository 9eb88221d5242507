import { type SQL, sql } from "drizzle-orm";
import { billingCustomers, subscriptions } from "@/lib/db/schema/billing";
import { interval } from "@/lib/db/sql";
import { billingEnv, EnvError } from "@/lib/env";
import { basicPlan, isPaidPlan, isPlan, type Plan, plans, trialPlan } from "./plans";
import { billingPolicy } from "./policy";

/*
 * Which plan a team has now, as SQL: a request's lookup reads it in its one statement, and the
 * function that enforces a limit reads it under the team's lock. Security: the plan depends only on
 * rows that sync.ts, trials.ts or an administrator wrote, and on the database's clock. A
 * subscription whose renewal we do not learn of ends by itself.
 */

/** Returns whether teams can buy a plan: the payment provider's two variables are set. */
export function billingIsOn(): boolean {
  return billingEnv().STRIPE_SECRET_KEY !== undefined;
}

/** Returns every team's plan while billing is off. Throws if BILLING_OFF_PLAN is not a plan. */
export function offPlan(): Plan {
  const { BILLING_OFF_PLAN: plan } = billingEnv();
  if (!isPlan(plan))
    throw new EnvError(`BILLING_OFF_PLAN must be one of: ${Object.keys(plans).join(", ")}.`);
  return plan;
}

/**
 * Returns SQL for the plan of the team in the row named `teams`. A function, so that loading this
 * module reads no environment. A statement that has joined `billedWhere` passes its plan as `paid`.
 */
export function entitledPlan(paid = paidPlan): SQL<Plan> {
  if (!billingIsOn()) return word(offPlan()) as SQL<Plan>;
  return sql<Plan>`coalesce(${paid},
    case when teams.comped_until > now() and teams.comped_plan in (${words(Object.keys(plans))})
      then teams.comped_plan end,
    case when teams.trial_ends_at > now() then ${word(trialPlan)} end,
    ${word(basicPlan)})`;
}

/**
 * Whether the subscription in the row named `b` counts. `past_due` counts for a while, so that the
 * team can enter a new card.
 */
export const isPaidFor: SQL = sql`(b.ended_at is null and (
  (b.status in ('active', 'trialing') and b.current_period_end > now() - ${interval(billingPolicy.lease)})
  or (b.status = 'past_due' and b.past_due_since > now() - ${interval(billingPolicy.grace)})))`;

/**
 * Returns a subquery for a request's lookup, to be joined as `billed`: one row with the paid plan
 * of the team in the row named `teams`, and whether that plan is at risk. With it the lookup reads
 * the subscriptions once, and only where `condition` holds.
 */
export function billedWhere(condition: SQL): SQL {
  if (!billingIsOn()) return sql`(select)`;
  return sql`(
    select (array_agg(b.plan order by b.current_period_end desc)
        filter (where ${isOfPaidPlan} and ${isPaidFor}))[1] as plan,
      bool_or(b.status in ('past_due', 'unpaid') or (b.status in ('active', 'trialing')
        and (b.cancel_at < now() + ${soon} or ${isPaidFor} is not true))) as at_risk
    from ${billingCustomers} c join ${subscriptions} b on b.customer_id = c.customer_id
    where ${condition} and c.team_id = teams.id and b.ended_at is null)`;
}

/**
 * Returns SQL for whether the plan of `teams`, joined with `billed`, ends within days or a payment
 * is missing. If so, there may be something to tell the owners; overview.ts has the details. Also
 * true if a subscription follows a trial.
 */
export function isPlanAtRisk(): SQL<boolean> {
  if (!billingIsOn()) return sql<boolean>`false`;
  return sql<boolean>`(billed.at_risk or teams.trial_ends_at between now() and now() + ${soon})`;
}

const soon = interval(billingPolicy.remindBefore);

const isOfPaidPlan = sql`b.plan in (${words(Object.keys(plans).filter(isPaidPlan))})`;

const paidPlan = sql`(
  select b.plan from ${billingCustomers} c join ${subscriptions} b on b.customer_id = c.customer_id
  where c.team_id = teams.id and ${isOfPaidPlan} and ${isPaidFor}
  order by b.current_period_end desc limit 1)`;

/** Constants as SQL literals, so that a prepared statement has one query plan for all teams. */
function words(all: string[]): SQL {
  return sql.join(all.map(word), sql`, `);
}

function word(text: string): SQL {
  return sql.raw(`'${text}'`);
}
