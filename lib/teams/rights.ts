import { type SQL, sql } from "drizzle-orm";
import { members } from "@/lib/db/schema/members";
import { can, type TeamAction, teamRoles } from "./roles";
import type { TeamScope } from "./scope";

/*
 * Checks a right inside the statement that writes. Security: between a request's guard and its
 * write, a member can be removed or lose a role, so the write reads the role again.
 */

/** Returns a condition for the `where` of a write: the actor is still a member who may do it. */
export function stillMay({ teamId, role, actor }: TeamScope, action: TeamAction): SQL {
  if (actor.userId === null) return can(role, action) ? sql`true` : sql`false`;
  const allowed = teamRoles.filter((each) => can(each, action));
  return sql`exists (select from ${members}
    where ${members.teamId} = ${teamId} and ${members.userId} = ${actor.userId}
      and ${members.role} = any(${sql.param(allowed)}::text[]))`;
}
