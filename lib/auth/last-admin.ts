import { sql } from "drizzle-orm";
import type { Db } from "@/lib/db/client";
import { users } from "@/lib/db/schema/users";
import type { Role } from "./roles";

/*
 * Owns the rule that somebody stays to administer the product. The security fact: to count the
 * administrators is not enough, since two who leave at once would each count the other. So all of
 * them are locked first, in one order, by whatever could take one away.
 */

export type LockedUser = {
  id: string;
  email: string;
  role: Role;
  status: "active" | "suspended";
};

/**
 * Locks these users together with every active administrator, ordered by id so that no two callers
 * wait for each other, and returns the rows as they are once they are locked. To be called before
 * anything else is locked: users come first.
 */
export async function lockWithAdmins(tx: Db, ids: string[]): Promise<LockedUser[]> {
  const rows = await tx.execute<LockedUser>(sql`
    select id, email, role, status from ${users}
    where id in (
      select id from ${users} where role = 'admin' and status = 'active'
      union all select unnest(${sql.param(ids)}::uuid[]))
    order by id for no key update`);
  return [...rows];
}

/** Among users that `lockWithAdmins` has locked: whether without this one nobody could administer. */
export function isLastAdmin(locked: LockedUser[], id: string): boolean {
  const admins = locked.filter(({ role, status }) => role === "admin" && status === "active");
  return admins.length === 1 && admins[0]?.id === id;
}
