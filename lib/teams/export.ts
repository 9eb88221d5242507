import { and, asc, type Column, eq, sql } from "drizzle-orm";
import { recordEach } from "@/lib/audit";
import type { Db } from "@/lib/db/client";
import { invitations } from "@/lib/db/schema/invitations";
import { members } from "@/lib/db/schema/members";
import { teamKeys } from "@/lib/db/schema/team-keys";
import { teams } from "@/lib/db/schema/teams";
import { users } from "@/lib/db/schema/users";
import { lockTeamAs } from "./locks";
import { can, type TeamRole } from "./roles";
import type { MemberScope, TeamScope } from "./scope";

/*
 * Exports what lib/teams stores of a team. Security: each column is named, and no hash or token is
 * among them. The product's folders export the product's data of a team; the route handler joins
 * the parts (app/(app)/t/[team]/settings/team/data/route.ts).
 */

export type TeamExport = {
  team: { handle: string; name: string; requiresStrong: boolean; createdAt: Date };
  members: { name: string; email: string; role: TeamRole; joinedAt: Date }[];
  invitations: {
    email: string;
    role: TeamRole;
    invitedBy: string | null;
    createdAt: Date;
    expiresAt: Date;
  }[];
  apiKeys: {
    name: string;
    prefix: string;
    scopes: string[];
    createdBy: string | null;
    createdAt: Date;
    expiresAt: Date | null;
    lastUsedAt: Date | null;
  }[];
};

export type ExportTeam = { ok: true; data: TeamExport } | { ok: false; reason: "not-allowed" };

/**
 * Returns members, invitations (expired ones included) and API keys, and records an audit
 * event that the data was exported. Users are named by email, former members not at all. The
 * caller must require sudo.
 */
export async function exportTeam(db: Db, scope: MemberScope): Promise<ExportTeam> {
  const { session, teamId } = scope;
  return db.transaction(async (tx) => {
    const locked = await lockTeamAs(tx, scope);
    if (!locked || !can(locked.acting.role, "export")) return { ok: false, reason: "not-allowed" };
    await tx.execute(sql`
      with exported as (
        select ${session.userId}::uuid as user_id, ${session.id}::uuid as session_id)
      ${recordEach("exported", "team-data-exported", scope.actor.client, undefined, null, teamId)}`);
    const [team] = await tx
      .select({
        handle: teams.handle,
        name: teams.name,
        requiresStrong: teams.requiresStrong,
        createdAt: teams.createdAt,
      })
      .from(teams)
      .where(eq(teams.id, teamId));
    if (!team) throw new Error("exportTeam: the locked team does not exist.");
    const data = {
      team,
      members: await membersOf(tx, scope),
      invitations: await invitationsOf(tx, scope),
      apiKeys: await apiKeysOf(tx, scope),
    };
    return { ok: true, data };
  });
}

function membersOf(tx: Db, { teamId }: TeamScope): Promise<TeamExport["members"]> {
  return tx
    .select({
      name: users.name,
      email: users.email,
      role: members.role,
      joinedAt: members.joinedAt,
    })
    .from(members)
    .innerJoin(users, eq(users.id, members.userId))
    .where(eq(members.teamId, teamId))
    .orderBy(asc(members.joinedAt), asc(members.userId));
}

function invitationsOf(tx: Db, { teamId }: TeamScope): Promise<TeamExport["invitations"]> {
  return tx
    .select({
      email: invitations.email,
      role: invitations.role,
      invitedBy: users.email,
      createdAt: invitations.createdAt,
      expiresAt: invitations.expiresAt,
    })
    .from(invitations)
    .leftJoin(members, isMember(teamId, invitations.invitedBy))
    .leftJoin(users, eq(users.id, members.userId))
    .where(eq(invitations.teamId, teamId))
    .orderBy(asc(invitations.createdAt), asc(invitations.id));
}

function apiKeysOf(tx: Db, { teamId }: TeamScope): Promise<TeamExport["apiKeys"]> {
  return tx
    .select({
      name: teamKeys.name,
      prefix: teamKeys.prefix,
      scopes: teamKeys.scopes,
      createdBy: users.email,
      createdAt: teamKeys.createdAt,
      expiresAt: teamKeys.expiresAt,
      lastUsedAt: teamKeys.lastUsedAt,
    })
    .from(teamKeys)
    .leftJoin(members, isMember(teamId, teamKeys.createdBy))
    .leftJoin(users, eq(users.id, members.userId))
    .where(eq(teamKeys.teamId, teamId))
    .orderBy(asc(teamKeys.createdAt), asc(teamKeys.id));
}

const isMember = (teamId: string, userId: Column) =>
  and(eq(members.teamId, teamId), eq(members.userId, userId));
