import { randomUUID } from "node:crypto";
import { sql } from "drizzle-orm";
import type { Actor } from "@/lib/actor";
import { recordEach } from "@/lib/audit";
import type { Db } from "@/lib/db/client";
import { billingCustomers, subscriptions } from "@/lib/db/schema/billing";
import { members } from "@/lib/db/schema/members";
import { teams } from "@/lib/db/schema/teams";
import { ensureCustomer, findCustomer } from "./customers";
import { addSync } from "./jobs";
import type { Interval, PaidPlan } from "./plans";
import { billingPolicy } from "./policy";
import type { Provider } from "./provider";
import { syncCustomer } from "./sync";

/*
 * Opens the provider's pages: the checkout, where a team buys a plan, and the portal. Security: a
 * team has one open checkout, so two tabs cannot pay twice; the number of seats and the end of the
 * trial are read here, never taken from a form; and the audit log records the user who opened the
 * page, because a purchase or cancellation at the provider comes back without a user.
 */

export type StartCheckout =
  | { ok: true; url: string }
  /** "subscribed": the team has a subscription, even if a payment failed. The portal changes it. */
  | { ok: false; reason: "subscribed" };

type Order = { plan: PaidPlan; interval: Interval; seats: number; trialEndsAt: string | null };
type OpenCheckout = {
  order: Order;
  key: string;
  id: string | null;
  url: string | null;
  expiresAt: Date;
  /**
   * Whether enough time is left to pay. A page with less can still be paid, so it is expired before
   * a new one is created.
   */
  hasTime: boolean;
};

/**
 * Returns the URL of the page where the team pays. The caller has checked the user's right. `back`
 * is the URL of the billing page. Throws if the provider does not answer; the next call then
 * continues from there.
 */
export async function startCheckout(
  db: Db,
  provider: Provider,
  { teamId, actor }: { teamId: string; actor: Actor },
  chosen: { plan: PaidPlan; interval: Interval; back: string },
): Promise<StartCheckout> {
  const { row, customer } = await ensureCustomer(db, provider, teamId);
  // Repeats only if parallel calls order something else.
  for (let turn = 0; turn < 10; turn++) {
    const { order, open, subscribed } = await read(db, teamId, customer, chosen);
    if (subscribed) return { ok: false, reason: "subscribed" };
    if (open?.url && isReusable(open, order)) {
      await recordOpened(db, teamId, actor);
      return { ok: true, url: open.url };
    }
    if (open?.id && !(await provider.expireCheckout(open.id))) {
      // It has been paid, but our copy of the state does not show it yet.
      await syncCustomer(db, provider, customer);
      return { ok: false, reason: "subscribed" };
    }
    const begun = await begin(db, row, open, order);
    if (!begun) continue; // another call was faster; its checkout counts
    const checkout = await provider.createCheckout({
      ...{ key: begun.key, customer, back: chosen.back, expiresAt: begun.expiresAt },
      ...{ ...order, trialEndsAt: order.trialEndsAt ? new Date(order.trialEndsAt) : null },
    });
    const stored = await db.transaction(async (tx) => {
      await addSync(tx, customer, billingPolicy.syncAfterClick);
      const updated = await tx.execute(sql`
        update ${billingCustomers} set checkout_id = ${checkout.id}, checkout_url = ${checkout.url}
        where id = ${row} and checkout_key = ${begun.key} returning id`);
      if (updated.length > 0) await recordOpened(tx, teamId, actor);
      return updated;
    });
    if (stored.length > 0) return { ok: true, url: checkout.url };
    await provider.expireCheckout(checkout.id); // another order has replaced this one
  }
  throw new Error("startCheckout: other calls keep changing the order.");
}

/** Returns what would be ordered, the open checkout, and whether the team has a subscription. */
async function read(
  db: Db,
  teamId: string,
  customer: string,
  { plan, interval }: { plan: PaidPlan; interval: Interval },
): Promise<{ order: Order; open: OpenCheckout | null; subscribed: boolean }> {
  type Row = {
    seats: number;
    trial: string | null;
    order: Order | null;
    key: string;
    id: string | null;
    url: string | null;
    expires: string;
    has_time: boolean;
    subscribed: boolean;
  };
  const [found] = await db.execute<Row>(sql`
    select (select count(*)::int from ${members} where ${members.teamId} = ${teams.id}) as seats,
      case when ${teams.trialEndsAt} > now() + ${billingPolicy.shortestTrial / 1000} * interval '1 second'
        then ${teams.trialEndsAt} end as trial,
      case when checkout_expires_at > now() then checkout_order end as order,
      checkout_expires_at > now() + interval '5 minutes' as has_time,
      checkout_key as key, checkout_id as id, checkout_url as url, checkout_expires_at as expires,
      exists (select from ${subscriptions} where customer_id = ${customer}
        and status in ('trialing', 'active', 'past_due', 'unpaid')) as subscribed
    from ${billingCustomers} join ${teams} on ${teams.id} = ${billingCustomers.teamId}
    where ${billingCustomers.teamId} = ${teamId}`);
  if (!found) throw new Error("startCheckout: the team was deleted in the meantime.");
  const { seats, trial, subscribed, order, key, id, url, expires, has_time: hasTime } = found;
  const trialEndsAt = trial ? new Date(trial).toISOString() : null;
  return {
    order: { plan, interval, seats, trialEndsAt },
    open: order && { order, key, id, url, expiresAt: new Date(expires), hasTime },
    subscribed,
  };
}

/**
 * Stores the order, or finds it stored by an earlier call. Returns null if another call wrote in
 * the meantime. The row must still hold what was read, including the checkout's id: a page created
 * since then must be expired first.
 */
async function begin(
  db: Db,
  row: string,
  open: OpenCheckout | null,
  order: Order,
): Promise<{ key: string; expiresAt: Date } | null> {
  // An earlier call stored this order, and the provider did not answer or that call is still
  // running. The same key gives the same page.
  if (open && isReusable(open, order)) return open;
  const [begun] = await db.execute<{ key: string; expires: string }>(sql`
    update ${billingCustomers} set checkout_order = ${JSON.stringify(order)}::jsonb,
      checkout_key = ${randomUUID()}, checkout_id = null, checkout_url = null,
      checkout_expires_at = date_trunc('second', now()) + ${billingPolicy.checkout / 1000} * interval '1 second'
    where id = ${row} and (${open === null}
        and (checkout_expires_at is null or checkout_expires_at <= now())
      or checkout_key = ${open?.key ?? null}::uuid
        and checkout_id is not distinct from ${open?.id ?? null}::text)
    returning checkout_key as key, checkout_expires_at as expires`);
  return begun ? { key: begun.key, expiresAt: new Date(begun.expires) } : null;
}

function isReusable({ order, hasTime }: OpenCheckout, wanted: Order): boolean {
  const fields = ["plan", "interval", "seats", "trialEndsAt"] as const;
  return hasTime && fields.every((field) => order[field] === wanted[field]);
}

/**
 * Returns the URL of the page where the team changes its card, cancels and reads invoices; null if
 * the team never started a checkout.
 */
export async function openPortal(
  db: Db,
  provider: Provider,
  { teamId, actor }: { teamId: string; actor: Actor },
  back: string,
): Promise<string | null> {
  const customer = await findCustomer(db, teamId);
  if (!customer) return null;
  const url = await provider.createPortal(customer, back);
  await db.transaction(async (tx) => {
    await addSync(tx, customer, billingPolicy.syncAfterClick);
    await recordOpened(tx, teamId, actor);
  });
  return url;
}

async function recordOpened(tx: Db, teamId: string, { id, userId, client }: Actor): Promise<void> {
  await tx.execute(sql`
    with opened as (select ${userId}::uuid as user_id, ${id}::uuid as session_id)
    ${recordEach("opened", "team-billing-opened", client, undefined, null, teamId)}`);
}

/** Expires a checkout that can still be paid. A paid one is no error: the next sync finds it. */
export async function ensureNoCheckout(db: Db, provider: Provider, row: string): Promise<void> {
  const [open] = await db.execute<{ checkout_id: string }>(sql`
    select checkout_id from ${billingCustomers}
    where id = ${row} and checkout_id is not null and checkout_expires_at > now()`);
  if (!open) return;
  await provider.expireCheckout(open.checkout_id);
  await db.execute(sql`
    update ${billingCustomers} set checkout_order = null, checkout_key = null, checkout_id = null,
      checkout_url = null, checkout_expires_at = null
    where id = ${row} and checkout_id = ${open.checkout_id}`);
}
