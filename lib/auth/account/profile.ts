import { sql } from "drizzle-orm";
import { recordEach } from "@/lib/audit";
import type { Session } from "@/lib/auth/sessions/lookup";
import type { Db } from "@/lib/db/client";
import { users } from "@/lib/db/schema/users";

/*
 * Changes what users may change about themselves. Security: the user is the acting session's, never
 * one named by the request.
 */

/**
 * Changes the user's name. The audit event does not contain the old or new name, because the audit
 * log outlives the account.
 */
export async function changeName(db: Db, session: Session, name: string): Promise<void> {
  await db.execute(sql`
    with changed as (
      update ${users} set name = ${name} where id = ${session.userId} and name <> ${name}
      returning id as user_id, ${session.id}::uuid as session_id)
    ${recordEach("changed", "name-changed", session.client)}`);
}
