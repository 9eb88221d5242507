import { type SQL, sql } from "drizzle-orm";
import type { Db } from "@/lib/db/client";
import { billingCustomers } from "@/lib/db/schema/billing";
import { members } from "@/lib/db/schema/members";
import { teams } from "@/lib/db/schema/teams";
import { users } from "@/lib/db/schema/users";
import type { Provider } from "./provider";

/*
 * A team's row as a customer of the provider. Security: the row is inserted first and identifies
 * the customer to the provider, so any number of parallel calls create one customer, and a team
 * never gets another team's. The provider sends receipts to the owner who joined first.
 */

export type CustomerRow = { row: string; customer: string };

type Billed = {
  row: string;
  customer: string | null;
  name: string;
  /** Null if no owner is active. */
  email: string | null;
  hash: string;
  told: boolean;
};

/** Returns the team's customer, created by the first call. Must not be called in a transaction. */
export async function ensureCustomer(
  db: Db,
  provider: Provider,
  teamId: string,
): Promise<CustomerRow> {
  await db.execute(sql`
    insert into ${billingCustomers} (team_id) values (${teamId}) on conflict (team_id) do nothing`);
  const billed = await read(db, teamId);
  if (!billed) throw new Error("ensureCustomer: the team was deleted in the meantime.");
  const { row, customer } = billed;
  return { row, customer: customer ?? (await save(db, provider, teamId, billed)) };
}

/** Sends the team's name and email to the provider, if they have changed since the last time. */
export async function updateCustomer(db: Db, provider: Provider, teamId: string): Promise<void> {
  const billed = await read(db, teamId);
  if (billed?.customer && !billed.told) await save(db, provider, teamId, billed);
}

/** Returns the team's customer, or null if the team never started a checkout. */
export async function findCustomer(db: Db, teamId: string): Promise<string | null> {
  const [found] = await db.execute<{ customer_id: string | null }>(sql`
    select customer_id from ${billingCustomers} where team_id = ${teamId}`);
  return found?.customer_id ?? null;
}

/** Whether the name or email that the provider knows differs from those of the row `teams` now. */
export const isToldOtherwise: SQL = sql`told_hash is distinct from ${hashOf()}`;

async function read(db: Db, teamId: string): Promise<Billed | undefined> {
  const [found] = await db.execute<Billed>(sql`
    select c.id as row, customer_id as customer, name, ${firstOwner()} as email, ${hashOf()} as hash,
      not ${isToldOtherwise} as told
    from ${billingCustomers} c join ${teams} on ${teams.id} = c.team_id where c.team_id = ${teamId}`);
  return found;
}

async function save(
  db: Db,
  provider: Provider,
  teamId: string,
  { row, customer, name, email, hash }: Billed,
): Promise<string> {
  const saved = await provider.saveCustomer({ id: row, customer, teamId, name, email });
  await db.execute(sql`
    update ${billingCustomers} set customer_id = coalesce(customer_id, ${saved}), told_hash = ${hash}
    where id = ${row}`);
  return saved;
}

function hashOf(): SQL {
  return sql`encode(sha256(convert_to(concat_ws(chr(10), teams.name, ${firstOwner()}), 'UTF8')), 'hex')`;
}

function firstOwner(): SQL {
  return sql`(
    select u.email from ${members} m join ${users} u on u.id = m.user_id
    where m.team_id = teams.id and m.role = 'owner' and u.status = 'active'
    order by m.joined_at, m.user_id limit 1)`;
}
