import { sql } from "drizzle-orm";
import type { Db } from "@/lib/db/client";
import { members } from "@/lib/db/schema/members";
import { teamKeys } from "@/lib/db/schema/team-keys";
import type { TeamScope } from "./scope";

/* Owns how much of its plan a team uses, of what this room owns. */

/** Open invitations are not counted: they reserve seats, and cost nothing. Keys that have expired do not count. */
export async function countMembersAndKeys(
  db: Db,
  { teamId }: TeamScope,
): Promise<{ members: number; keys: number }> {
  const [row] = await db.execute<{ members: number; keys: number }>(sql`
    select (select count(*)::int from ${members} where ${members.teamId} = ${teamId}) as members,
      (select count(*)::int from ${teamKeys} where ${teamKeys.teamId} = ${teamId}
        and (${teamKeys.expiresAt} is null or ${teamKeys.expiresAt} > now())) as keys`);
  return row ?? { members: 0, keys: 0 };
}
