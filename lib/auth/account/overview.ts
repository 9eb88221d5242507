import { type SQL, sql } from "drizzle-orm";
import type { PgTable } from "drizzle-orm/pg-core";
import { hasTwoFactor, live } from "@/lib/auth/sessions/live";
import type { Session } from "@/lib/auth/sessions/lookup";
import type { Db } from "@/lib/db/client";
import { identities } from "@/lib/db/schema/identities";
import { passkeys } from "@/lib/db/schema/passkeys";
import { passwords } from "@/lib/db/schema/passwords";
import { recoveryCodes } from "@/lib/db/schema/recovery-codes";
import { sessions } from "@/lib/db/schema/sessions";
import { users } from "@/lib/db/schema/users";
import type { ProviderId } from "@/lib/provider-ids";

/* Reads what the settings overview shows: numbers and names, no secrets, in one statement. */

export type AccountOverview = {
  hasPassword: boolean;
  passkeys: number;
  twoFactor: boolean;
  /** The recovery codes of two-factor that are not used yet. */
  recoveryCodes: number;
  /** The providers of connected accounts, in the order of their connection. */
  providers: ProviderId[];
  /** Live sessions, including those of apps. */
  devices: number;
};

/** Returns the overview of the acting user. */
export async function readOverview(db: Db, { userId }: Session): Promise<AccountOverview> {
  const count = (table: PgTable, where: SQL = sql`user_id = ${users.id}`) =>
    sql`(select count(*)::int from ${table} where ${where})`;
  const [row] = await db.execute<AccountOverview>(sql`
    select
      ${count(passwords)} > 0 as "hasPassword",
      ${count(passkeys)} as passkeys,
      ${hasTwoFactor(users.id)} as "twoFactor",
      ${count(recoveryCodes)} as "recoveryCodes",
      array(select provider from ${identities} where user_id = ${users.id} order by created_at)
        as providers,
      ${count(sessions, sql`user_id = ${users.id} and ${live}`)} as devices
    from ${users} where ${users.id} = ${userId}`);
  if (!row) throw new Error("readOverview: the user of a live session does not exist.");
  return row;
}
