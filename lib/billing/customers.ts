import { sql } from "drizzle-orm";
import type { Db } from "@/lib/db/client";
import { billingCustomers } from "@/lib/db/schema/billing";
import type { Provider } from "./provider";

/*
 * Owns a team's row as a customer. The security fact: the row is made first and names the customer to the
 * provider, so that of any number of parallel calls one customer comes, and a team gets no other team's.
 */

/** A team, and the email of the owner who gets the provider's receipts. */
export type BilledTeam = { id: string; name: string; email: string };

export type CustomerRow = { row: string; customer: string };

/** The team's customer; made at the provider at the first call. Not to be called in a transaction. */
export async function ensureCustomer(
  db: Db,
  provider: Provider,
  { id: teamId, name, email }: BilledTeam,
): Promise<CustomerRow> {
  await db.execute(sql`
    insert into ${billingCustomers} (team_id) values (${teamId}) on conflict (team_id) do nothing`);
  const [found] = await db.execute<{ id: string; customer_id: string | null }>(sql`
    select id, customer_id from ${billingCustomers} where team_id = ${teamId}`);
  if (!found) throw new Error("ensureCustomer: the team was deleted meanwhile.");
  const { id, customer_id } = found;
  if (customer_id) return { row: id, customer: customer_id };
  const customer = await provider.createCustomer({ id, teamId, name, email });
  await db.execute(sql`
    update ${billingCustomers} set customer_id = ${customer} where id = ${id} and customer_id is null`);
  return { row: id, customer };
}

/** The team's customer, or null where it never came to a checkout. */
export async function findCustomer(db: Db, teamId: string): Promise<string | null> {
  const [found] = await db.execute<{ customer_id: string | null }>(sql`
    select customer_id from ${billingCustomers} where team_id = ${teamId}`);
  return found?.customer_id ?? null;
}
