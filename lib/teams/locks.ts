import { sql } from "drizzle-orm";
import { live } from "@/lib/auth/sessions/live";
import type { Session } from "@/lib/auth/sessions/lookup";
import { entitledPlan } from "@/lib/billing/entitlements";
import { type Limits, limitsOf, type Plan } from "@/lib/billing/plans";
import type { Db } from "@/lib/db/client";
import { members } from "@/lib/db/schema/members";
import { sessions } from "@/lib/db/schema/sessions";
import { teams } from "@/lib/db/schema/teams";
import { users } from "@/lib/db/schema/users";
import type { TeamRole } from "./roles";
import type { MemberScope } from "./scope";

/*
 * The lock under which a team's members, invitations, keys and limits change: the team's row.
 * Security: a count or role that decides is read in a statement after the one that takes the lock.
 * In a single statement the snapshot is older than the lock, and 30 owners who leave at once would
 * all succeed. Lock order: users (by id), teams (by id), then members, invitations, keys; then
 * sessions and links.
 */

export type LockedMember = {
  userId: string;
  role: TeamRole;
  email: string;
  name: string;
  status: "active" | "suspended";
};

export type LockedTeam = {
  id: string;
  handle: string;
  name: string;
  limits: Limits;
  /** All owners, and those of the requested users who are members. */
  members: LockedMember[];
};

/**
 * Locks the users and the team, then reads the values that decide. Returns null if the team no
 * longer exists. Call it before anything else is locked.
 */
export async function lockTeam(
  tx: Db,
  teamId: string,
  userIds: string[],
): Promise<LockedTeam | null> {
  await lockUsers(tx, userIds);
  const [team] = await tx.execute<{ id: string; handle: string; name: string; plan: Plan }>(sql`
    select id, handle, name, ${entitledPlan()} as plan from ${teams} where id = ${teamId}
    for no key update`);
  if (!team) return null;
  const rows = await tx.execute<LockedMember>(sql`
    select ${members.userId} as "userId", ${members.role}, ${users.email}, ${users.name}, ${users.status}
    from ${members} join ${users} on ${users.id} = ${members.userId}
    where ${members.teamId} = ${teamId}
      and (${members.role} = 'owner' or ${members.userId} = any(${sql.param(userIds)}::uuid[]))`);
  const { plan, ...found } = team;
  return { ...found, limits: limitsOf(plan), members: [...rows] };
}

/** Locks the users in the order of their ids, so that no two callers wait for each other. */
export async function lockUsers(tx: Db, ids: string[]): Promise<void> {
  await tx.execute(sql`
    select from ${users} where id = any(${sql.param(ids)}::uuid[]) order by id for no key update`);
}

/**
 * Like `lockTeam`, for a change by the acting member, who is returned as they are now. Returns null
 * if they are no longer a member or their session has ended: an attacker who is being logged out
 * must leave neither an invitation nor a key behind.
 */
export async function lockTeamAs(
  tx: Db,
  scope: MemberScope,
  userIds: string[] = [],
): Promise<{ team: LockedTeam; acting: LockedMember } | null> {
  const { userId } = scope.session;
  const team = await lockTeam(tx, scope.teamId, [userId, ...userIds]);
  const acting = team?.members.find((member) => member.userId === userId);
  if (!team || !acting) return null;
  return (await lockSession(tx, scope.session)) ? { team, acting } : null;
}

/**
 * Keeps a session from being ended until the transaction ends. Returns false if it has already
 * ended. The user's row must be locked, by an earlier statement.
 */
export async function lockSession(tx: Db, { id, userId }: Session): Promise<boolean> {
  const found = await tx.execute(sql`
    select from ${sessions} join ${users} on ${users.id} = ${sessions.userId}
    where ${sessions.id} = ${id} and ${users.id} = ${userId} and ${live}
    for key share of ${sessions}`);
  return found.length > 0;
}

/**
 * Returns whether the team would have no active owner without this user. Another owner who is
 * suspended does not count: the team would then depend on an administrator.
 */
export function isLastOwner(team: LockedTeam, userId: string): boolean {
  const owners = team.members.filter(({ role }) => role === "owner");
  const isOwner = owners.some((owner) => owner.userId === userId);
  return isOwner && !owners.some((owner) => owner.userId !== userId && owner.status === "active");
}
