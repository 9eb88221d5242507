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

/**
 * The plan of the team whose row is named `teams`. Asked for at each call, so not before `env()` is known. A
 * statement that has joined `billedWhere` gives its plan as `paid`.
 */
export function entitledPlan(paid = paidPlan): SQL<Plan> {
  if (!billingIsOn()) return word(offPlan()) as SQL<Plan>;
  return sql<Plan>`coalesce(${paid},
    case when teams.comped_until > now() and teams.comped_plan in (${words(Object.keys(plans))})
      then teams.comped_plan end,
    case when teams.trial_ends_at > now() then ${word(trialPlan)} end,
    ${word(basicPlan)})`;
}

/** Whether a subscription, named `b`, counts. `past_due` counts for a while, so that a new card can come. */
export const isPaidFor: SQL = sql`(b.ended_at is null and (
  (b.status in ('active', 'trialing') and b.current_period_end > now() - ${interval(billingPolicy.lease)})
  or (b.status = 'past_due' and b.past_due_since > now() - ${interval(billingPolicy.grace)})))`;

/**
 * For the lookup of a request, to be joined as `billed`: one row with the paid plan of the team whose row is
 * named `teams`, and whether it is in danger. So the lookup reads the subscriptions once, and only where
 * `condition` holds.
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
 * Whether the plan ends within days, or a payment is missing, of `teams` joined with `billed`. It says that
 * there may be something to tell the owners, and overview.ts has what: true also where a subscription follows
 * a trial.
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

/** Words of ours as literals, so that a prepared statement has its plan for all teams. */
function words(all: string[]): SQL {
  return sql.join(all.map(word), sql`, `);
}

function word(text: string): SQL {
  return sql.raw(`'${text}'`);
}
