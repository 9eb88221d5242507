import { sql } from "drizzle-orm";
import type { Db } from "@/lib/db/client";
import { users } from "@/lib/db/schema/users";
import type { Role } from "./roles";

/*
 * Keeps at least one active administrator. The security fact: a plain count races, since two
 * concurrent demotions each count the other. So every change that may remove an administrator first
 * locks all of their rows, in id order.
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

/** Among users that `lockWithAdmins` has locked: whether this one is the only active administrator. */
export function isLastAdmin(locked: LockedUser[], id: string): boolean {
  const admins = locked.filter(({ role, status }) => role === "admin" && status === "active");
  return admins.length === 1 && admins[0]?.id === id;
}
