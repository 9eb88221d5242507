import { sql } from "drizzle-orm";
import type { Db } from "@/lib/db/client";
import { billingEvents } from "@/lib/db/schema/billing";
import { interval } from "@/lib/db/sql";
import { addSync } from "./jobs";
import { billingPolicy } from "./policy";
import type { Provider } from "./provider";

/*
 * Receives webhooks. A webhook only says that something has changed, never what: the event's id and
 * a job that fetches the state are stored in one transaction. Security: without a valid signature
 * nothing is stored.
 */

/** Returns false if the event is not the provider's. Once true, no part of it can be lost. */
export async function receiveEvent(
  db: Db,
  provider: Provider,
  payload: Buffer,
  signature: string | null,
): Promise<boolean> {
  const event = await provider.readEvent(payload, signature);
  if (!event) return false;
  const { id, type, customer } = event;
  await db.transaction(async (tx) => {
    const stored = await tx.execute(sql`
      insert into ${billingEvents} (id, type, customer_id) values (${id}, ${type}, ${customer})
      on conflict do nothing returning id`);
    if (stored.length > 0 && customer) await addSync(tx, customer);
  });
  return true;
}

/** Housekeeping: deletes ids of events so old that the provider does not send them again. */
export async function deleteOldEvents(db: Db): Promise<void> {
  await db.execute(sql`
    delete from ${billingEvents} where received_at < now() - ${interval(billingPolicy.event)}`);
}
