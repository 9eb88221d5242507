import { sql } from "drizzle-orm";
import type { Db } from "@/lib/db/client";
import { users } from "@/lib/db/schema/users";
import type { Role } from "./roles";

/*
 * Keeps at least one active administrator. Security: counting alone would race, since two
 * concurrent demotions would each count the other's administrator. So every change that may remove
 * an administrator first locks the rows of all active administrators, in id order.
 */

export type LockedUser = {
  id: string;
  email: string;
  role: Role;
  status: "active" | "suspended";
};

/**
 * Locks these users together with every active administrator, in id order so that no two callers
 * deadlock, and returns the rows as they are once locked. Call it before anything else is locked:
 * users come first.
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

/** Reports whether this user is the only active administrator. `locked`: from `lockWithAdmins`. */
export function isLastAdmin(locked: LockedUser[], id: string): boolean {
  const admins = locked.filter(({ role, status }) => role === "admin" && status === "active");
  return admins.length === 1 && admins[0]?.id === id;
}
