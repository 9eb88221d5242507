import { and, eq, sql } from "drizzle-orm";
import { QueryBuilder } from "drizzle-orm/pg-core";
import { entitledPlan } from "@/lib/billing/entitlements";
import type { Db } from "@/lib/db/client";
import { prepared } from "@/lib/db/prepared";
import { members } from "@/lib/db/schema/members";
import { teams } from "@/lib/db/schema/teams";
import { isHandle } from "./lookup";
import type { FoundTeam } from "./scope";

/*
 * Looks up the team for a request by a user's API key or app. Security: as in lookup.ts, the
 * membership is joined at every request, whatever the path says.
 */

/** Returns the team, or null if the user is not a member. One prepared statement, no cache. */
export async function findTeamOfUser(
  db: Db,
  userId: string,
  handle: string,
): Promise<FoundTeam | null> {
  if (!isHandle(handle)) return null;
  const [found] = await findMembership(db, { userId, handle });
  return found ?? null;
}

const findMembership = prepared(() =>
  new QueryBuilder()
    .select({
      id: teams.id,
      handle: teams.handle,
      name: teams.name,
      role: members.role,
      plan: entitledPlan(),
      requiresStrong: teams.requiresStrong,
    })
    .from(teams)
    .innerJoin(members, eq(members.teamId, teams.id))
    .where(
      and(
        eq(teams.handle, sql.placeholder("handle")),
        eq(members.userId, sql.placeholder("userId")),
      ),
    ),
);
