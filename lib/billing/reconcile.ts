import { sql } from "drizzle-orm";
import type { Db } from "@/lib/db/client";
import { billingCustomers, subscriptions } from "@/lib/db/schema/billing";
import { members } from "@/lib/db/schema/members";
import { teams } from "@/lib/db/schema/teams";
import { interval } from "@/lib/db/sql";
import { ensureNoCheckout } from "./checkout";
import { isToldOtherwise, updateCustomer } from "./customers";
import { billingIsOn } from "./entitlements";
import { addEnd, addSync, addTeamUpdate } from "./jobs";
import { billingPolicy } from "./policy";
import type { Provider } from "./provider";
import { syncCustomer } from "./sync";

/*
 * Keeps the provider and this database consistent if a message between them was lost: the number of
 * seats, the end of a deleted team's subscription, and the nightly comparison of customers.
 */

/** Runs the job "billing-team": sends the provider the name, first owner and number of members. */
export async function updateTeam(db: Db, provider: Provider, teamId: string): Promise<void> {
  await updateCustomer(db, provider, teamId);
  type Row = { customer: string; subscription: string; seats: number; members: number };
  const [found] = await db.execute<Row>(sql`
    select c.customer_id as customer, b.id as subscription, b.seats,
      (select count(*)::int from ${members} where ${members.teamId} = c.team_id) as members
    from ${billingCustomers} c join ${subscriptions} b on b.customer_id = c.customer_id
    where c.team_id = ${teamId} and b.status in ('trialing', 'active', 'past_due')
    order by b.created_at limit 1`);
  if (!found || found.members === 0) return;
  await provider.setSeats(found.subscription, found.members);
  if (found.seats !== found.members) await syncCustomer(db, provider, found.customer);
}

/**
 * Adds the job that ends the team's subscription. Call it before deleting the team,
 * in the same transaction.
 */
export async function endBilling(tx: Db, teamId: string): Promise<void> {
  const [row] = await tx.execute<{ id: string }>(sql`
    select id from ${billingCustomers} where team_id = ${teamId}`);
  if (row) await addEnd(tx, row.id);
}

/** Runs the job "billing-end". Throws, and so is retried, until the provider has ended all. */
export async function endDeleted(db: Db, provider: Provider, row: string): Promise<void> {
  const [found] = await db.execute<{ customer_id: string | null; team_id: string | null }>(sql`
    select customer_id, team_id from ${billingCustomers} where id = ${row}`);
  if (!found?.customer_id || found.team_id) return;
  await ensureNoCheckout(db, provider, row);
  await syncCustomer(db, provider, found.customer_id); // ends subscriptions that belong to no team
}

/**
 * The nightly job. Adds a sync for every customer with a subscription that has not ended, or with a
 * checkout or a subscription's end within `reconcileFor`; and the job "billing-team" for every team
 * whose seats, name or email differ from what the provider knows. This finds changes that no
 * webhook reported, subscriptions without a team, and second subscriptions.
 */
export async function reconcile(db: Db): Promise<void> {
  if (!billingIsOn()) return;
  const customers = await db.execute<{ customer: string }>(sql`
    select c.customer_id as customer from ${billingCustomers} c
    where c.customer_id is not null and (
      c.checkout_expires_at > now() - ${interval(billingPolicy.reconcileFor)}
      or exists (select from ${subscriptions} b where b.customer_id = c.customer_id
        and (b.status <> 'ended' or b.ended_at > now() - ${interval(billingPolicy.reconcileFor)})))`);
  for (const { customer } of customers) await addSync(db, customer);
  const drifted = await db.execute<{ team: string }>(sql`
    select c.team_id as team from ${billingCustomers} c
    join ${teams} on ${teams.id} = c.team_id
    join ${subscriptions} b on b.customer_id = c.customer_id
    where b.status in ('trialing', 'active', 'past_due') and (${isToldOtherwise}
      or b.seats <> (select count(*) from ${members} where ${members.teamId} = c.team_id))`);
  for (const { team } of drifted) await addTeamUpdate(db, team);
}
