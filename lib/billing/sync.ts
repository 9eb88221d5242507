import { sql } from "drizzle-orm";
import { recordEach, type TeamEventKind, unknownClient } from "@/lib/audit";
import type { Db } from "@/lib/db/client";
import { billingCustomers, invoices, subscriptions } from "@/lib/db/schema/billing";
import { addNotice, addSync, type BillingNotice } from "./jobs";
import type { InvoiceState, Provider, SubscriptionState } from "./provider";

/*
 * Stores a copy of the provider's state; the only writer of subscriptions and invoices. Security:
 * nothing is taken from a webhook except the customer to fetch; and if two fetches overlap, the one
 * that started later counts, by the database's clock, whichever answer arrives last.
 */

/**
 * Fetches the state of a customer and stores it, with the events and mails that follow from the
 * change. Ends subscriptions that must not run: a second one, and all of a deleted team. Throws if
 * the provider does not answer. Must not be called in a transaction.
 */
export async function syncCustomer(db: Db, provider: Provider, customer: string): Promise<void> {
  // As text: a Date would lose the microseconds.
  const [clock] = await db.execute<{ at: string }>(sql`select clock_timestamp()::text as at`);
  const state = await provider.fetchState(customer);
  const superfluous = await db.transaction((tx) => store(tx, customer, state, `${clock?.at}`));
  if (superfluous.length === 0) return;
  for (const { id } of superfluous) await provider.cancelNow(id);
  await addSync(db, customer);
}

type State = Awaited<ReturnType<Provider["fetchState"]>>;

/**
 * Returns the subscriptions to end. Stores nothing if a later fetch is stored already, or the
 * customer is unknown.
 */
async function store(
  tx: Db,
  customer: string,
  state: State,
  at: string,
): Promise<SubscriptionState[]> {
  // Locks the row, so that fetches of one customer are stored one after the other.
  const [row] = await tx.execute<{ team_id: string | null }>(sql`
    update ${billingCustomers} set fetched_at = ${at}::timestamptz
    where customer_id = ${customer} and fetched_at < ${at}::timestamptz returning team_id`);
  if (!row) return [];
  const before = await tx.execute<Stored>(sql`
    select id, plan, status, cancel_at from ${subscriptions} where customer_id = ${customer}`);
  for (const each of state.subscriptions) await storeSubscription(tx, customer, each);
  await tx.execute(sql`
    delete from ${subscriptions} where customer_id = ${customer}
      and id <> all(${sql.param(state.subscriptions.map(({ id }) => id))}::text[])`);
  for (const each of state.invoices) await storeInvoice(tx, customer, each);

  const live = state.subscriptions.filter(isLive).sort(byAge);
  if (!row.team_id) return live;
  const [kept, ...younger] = live;
  for (const change of changes([...before], state.subscriptions, { kept, younger }))
    await say(tx, row.team_id, change);
  return younger;
}

type Stored = {
  id: string;
  plan: string | null;
  status: SubscriptionState["status"];
  cancel_at: string | null;
};

const isLive = ({ status }: { status: SubscriptionState["status"] }) =>
  ["trialing", "active", "past_due", "unpaid"].includes(status);

const byAge = (a: SubscriptionState, b: SubscriptionState) =>
  a.createdAt.getTime() - b.createdAt.getTime() || (a.id < b.id ? -1 : 1);

async function storeSubscription(
  tx: Db,
  customer: string,
  state: SubscriptionState,
): Promise<void> {
  const { id, plan, interval, seats, status } = state;
  await tx.execute(sql`
    insert into ${subscriptions} (id, customer_id, plan, interval, seats, status, current_period_end,
      cancel_at, ended_at, past_due_since, created_at)
    values (${id}, ${customer}, ${plan}, ${interval}, ${seats}, ${status}, ${text(state.currentPeriodEnd)}::timestamptz,
      ${text(state.cancelAt)}::timestamptz, ${text(state.endedAt)}::timestamptz,
      case when ${status} = 'past_due' then now() end, ${text(state.createdAt)}::timestamptz)
    on conflict (id) do update set plan = excluded.plan, interval = excluded.interval,
      seats = excluded.seats, status = excluded.status, current_period_end = excluded.current_period_end,
      cancel_at = excluded.cancel_at, ended_at = excluded.ended_at,
      past_due_since = case when excluded.status = 'past_due'
        then coalesce(${subscriptions.pastDueSince}, now()) end
    where ${subscriptions.customerId} = ${customer}`);
}

async function storeInvoice(tx: Db, customer: string, state: InvoiceState): Promise<void> {
  const { id, number, status, total, currency, url } = state;
  await tx.execute(sql`
    insert into ${invoices} (id, customer_id, number, status, total, currency, url, created_at)
    values (${id}, ${customer}, ${number}, ${status}, ${total}, ${currency}, ${url}, ${text(state.createdAt)}::timestamptz)
    on conflict (id) do update set number = excluded.number, status = excluded.status,
      total = excluded.total, url = excluded.url
    where ${invoices.customerId} = ${customer}`);
}

const text = (date: Date | null) => date?.toISOString() ?? null;

type Change = { event: TeamEventKind; notice?: BillingNotice; plan: string | null };

/**
 * Returns the changes to report to the team. Pure. `younger` are the subscriptions that are ended
 * because of `kept`.
 */
function changes(
  before: Stored[],
  after: SubscriptionState[],
  { kept, younger }: { kept: SubscriptionState | undefined; younger: SubscriptionState[] },
): Change[] {
  return after.flatMap((now): Change[] => {
    const was = before.find(({ id }) => id === now.id);
    const { plan } = now;
    const wasLive = was !== undefined && isLive(was);
    if (younger.includes(now))
      return wasLive
        ? []
        : [{ event: "team-second-subscription", notice: "second-subscription", plan }];
    if (now.id === kept?.id) {
      if (!wasLive) return [{ event: "team-subscribed", plan }];
      if (now.status === "past_due" && was.status !== "past_due")
        return [{ event: "team-payment-failed", notice: "payment-failed", plan }];
      const sameEnd = (was.cancel_at === null) === (now.cancelAt === null);
      if (was.plan !== plan || was.status !== now.status || !sameEnd)
        return [{ event: "team-billing-changed", plan }];
      return [];
    }
    return wasLive && !isLive(now) && !kept
      ? [{ event: "team-plan-ended", notice: "plan-ended", plan }]
      : [];
  });
}

async function say(tx: Db, teamId: string, { event, notice, plan }: Change): Promise<void> {
  await tx.execute(sql`
    with changed as (select null::uuid as user_id, null::uuid as session_id)
    ${recordEach("changed", event, unknownClient, sql`jsonb_build_object('plan', ${plan}::text)`, null, teamId)}`);
  if (notice) await addNotice(tx, teamId, notice);
}
