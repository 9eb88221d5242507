import { sql } from "drizzle-orm";
import type { Db } from "@/lib/db/client";
import { billingCustomers, invoices, subscriptions } from "@/lib/db/schema/billing";
import { teams } from "@/lib/db/schema/teams";
import { interval } from "@/lib/db/sql";
import { isPaidFor } from "./entitlements";
import { type Interval, isPlan, type Plan } from "./plans";
import { billingPolicy } from "./policy";
import type { InvoiceState, SubscriptionStatus } from "./provider";

/*
 * The state of a team's payments, for the billing page and the mails. Security: it reads the stored
 * state of the team that the caller has access to, and calls no other service.
 */

export type BilledSubscription = {
  plan: Plan | null;
  interval: Interval | null;
  seats: number;
  status: SubscriptionStatus;
  currentPeriodEnd: Date | null;
  cancelAt: Date | null;
  /** Set while a payment is overdue: since when, and until when the plan stays. */
  pastDueSince: Date | null;
  graceEndsAt: Date | null;
  /** Whether it gives the team its plan now, by the same rule as the lookup. */
  paidFor: boolean;
};

export type BillingOverview = {
  /** Null unless the trial is running. */
  trialEndsAt: Date | null;
  compedPlan: Plan | null;
  /** Null also for a gift without an end. */
  compedUntil: Date | null;
  /** The live subscription; null if the team has none. */
  subscription: BilledSubscription | null;
  /** Whether the provider knows the team, so that the portal can be opened. */
  isCustomer: boolean;
};

type Row = {
  trial: string | null;
  comped: string | null;
  comped_until: string | null;
  customer_id: string | null;
  status: SubscriptionStatus | null;
  plan: string | null;
  interval: Interval | null;
  seats: number;
  period_end: string | null;
  cancel_at: string | null;
  past_due_since: string | null;
  grace_end: string | null;
  paid: boolean | null;
};

export async function getBilling(db: Db, teamId: string): Promise<BillingOverview> {
  const [row] = await db.execute<Row>(sql`
    select case when ${teams.trialEndsAt} > now() then ${teams.trialEndsAt} end as trial,
      case when ${teams.compedUntil} > now() then ${teams.compedPlan} end as comped,
      ${teams.compedUntil} as comped_until, c.customer_id, b.status, b.plan, b.interval, b.seats,
      b.current_period_end as period_end, b.cancel_at, b.past_due_since,
      b.past_due_since + ${interval(billingPolicy.grace)} as grace_end, ${isPaidFor} as paid
    from ${teams}
    left join ${billingCustomers} c on c.team_id = ${teams.id}
    left join lateral (
      select * from ${subscriptions} s where s.customer_id = c.customer_id
        and s.status in ('trialing', 'active', 'past_due', 'unpaid')
      order by s.created_at limit 1) b on true
    where ${teams.id} = ${teamId}`);
  if (!row) return { ...none, isCustomer: false };
  const compedPlan = isPlan(row.comped) ? row.comped : null;
  return {
    trialEndsAt: date(row.trial),
    compedPlan,
    compedUntil: compedPlan && date(row.comped_until),
    isCustomer: row.customer_id !== null,
    subscription: row.status && {
      ...{ plan: isPlan(row.plan) ? row.plan : null, interval: row.interval },
      ...{ seats: row.seats, status: row.status, paidFor: row.paid === true },
      ...{ currentPeriodEnd: date(row.period_end), cancelAt: date(row.cancel_at) },
      ...{ pastDueSince: date(row.past_due_since), graceEndsAt: date(row.grace_end) },
    },
  };
}

const none = { trialEndsAt: null, compedPlan: null, compedUntil: null, subscription: null };

const date = (text: string | null) =>
  text === null || text === "infinity" ? null : new Date(text);

/** Returns the newest invoices, newest first: as many as are fetched from the provider. */
export async function listInvoices(db: Db, teamId: string): Promise<InvoiceState[]> {
  const rows = await db.execute<Omit<InvoiceState, "createdAt"> & { created_at: string }>(sql`
    select i.id, i.number, i.status, i.total, i.currency, i.url, i.created_at
    from ${invoices} i join ${billingCustomers} c on c.customer_id = i.customer_id
    where c.team_id = ${teamId} order by i.created_at desc, i.id desc limit 24`);
  return rows.map(({ created_at, ...row }) => ({ ...row, createdAt: new Date(created_at) }));
}
