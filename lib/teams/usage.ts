import { sql } from "drizzle-orm";
import type { Db } from "@/lib/db/client";
import { members } from "@/lib/db/schema/members";
import { teamKeys } from "@/lib/db/schema/team-keys";
import type { TeamScope } from "./scope";

/* Counts a team's members and keys, to show how much of its plan it uses. */

/**
 * Returns the numbers of members and of unexpired keys. Open invitations are not counted: they
 * reserve seats, but cost nothing.
 */
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
