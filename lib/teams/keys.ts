import { and, asc, eq, type SQL, sql } from "drizzle-orm";
import { QueryBuilder } from "drizzle-orm/pg-core";
import { recordEach } from "@/lib/audit";
import { hashToken } from "@/lib/auth/secrets";
import { isApiKey, newApiKey, visiblePrefix } from "@/lib/auth/tokens/api-key-format";
import type { Scope } from "@/lib/auth/tokens/api-keys";
import { endOf, noLongerShown, notExpired, touchDue } from "@/lib/auth/tokens/key-validity";
import { entitledPlan } from "@/lib/billing/entitlements";
import type { Db } from "@/lib/db/client";
import { prepared } from "@/lib/db/prepared";
import { members } from "@/lib/db/schema/members";
import { teamKeys } from "@/lib/db/schema/team-keys";
import { teams } from "@/lib/db/schema/teams";
import { users } from "@/lib/db/schema/users";
import { type LockedMember, type LockedTeam, lockTeamAs } from "./locks";
import { addTeamMail } from "./mails/jobs";
import { can, type TeamRole } from "./roles";
import type { FoundTeam, MemberScope, TeamScope } from "./scope";

/*
 * API keys of teams (the rows of `team_keys`): the credential of a server that works for a team.
 * Security: a key belongs to the team and not to the member who made it. It outlives that
 * membership and opens only its own team. It ends when it is revoked, when it expires, when the
 * team is deleted, and when its maker reports that an attacker was logged in when it was made. It
 * opens nothing while no owner of the team is active. Change together with:
 * lib/auth/tokens/api-key-format.ts, lib/auth/tokens/key-validity.ts, lib/auth/revocation.ts,
 * lib/web/team-bearer.ts.
 */

/** The scopes that a key can have: for the team's data, never for its members, keys or plan. */
export const teamKeyScopes = ["projects:read", "projects:write"] as const satisfies Scope[];

export type TeamKeyScope = (typeof teamKeyScopes)[number];

/** A key as the admins of its team see it. */
export type TeamKey = {
  id: string;
  name: string;
  /** The key's first characters, to tell it from the others. */
  prefix: string;
  scopes: TeamKeyScope[];
  /** The name of the user who made it; null if that account is deleted. */
  createdBy: string | null;
  /** Whether that user is a member of the team. */
  byMember: boolean;
  createdAt: Date;
  /** Null if it is valid until revoked. */
  expiresAt: Date | null;
  expired: boolean;
  lastUsedAt: Date | null;
};

/** A valid key that was presented, and the team that it opens. */
export type PresentedTeamKey = {
  id: string;
  scopes: TeamKeyScope[];
  /** Whether `touchTeamKey` has something to do. */
  touchDue: boolean;
  team: FoundTeam;
};

export type CreateTeamKey =
  | { ok: true; id: string; key: string }
  | { ok: false; reason: "not-allowed" | "too-many" };

/**
 * Creates a key of the team. The key itself is returned only here. `lifetime` is in days; null
 * means until revoked. "not-allowed" also if the session has ended since it was looked up, or the
 * member has lost the role: both are checked, and the keys are counted, under the team's lock.
 */
export async function createTeamKey(
  db: Db,
  scope: MemberScope,
  { name, scopes, lifetime }: { name: string; scopes: TeamKeyScope[]; lifetime: number | null },
): Promise<CreateTeamKey> {
  const key = newApiKey("team");
  return db.transaction(async (tx) => {
    const locked = await lockTeamAs(tx, scope);
    if (!locked || !can(locked.acting.role, "manage-keys"))
      return { ok: false, reason: "not-allowed" };
    const { team, acting } = locked;
    const [created] = await tx.execute<{ id: string }>(sql`
      with created as (
        insert into ${teamKeys} (team_id, created_by, name, prefix, key_hash, scopes, expires_at)
        select ${team.id}, ${acting.userId}, ${name}, ${visiblePrefix(key)}, ${hashToken(key)},
          ${sql.param(scopes)}::text[], ${endOf(lifetime)}
        where (select count(*) from ${teamKeys}
          where ${teamKeys.teamId} = ${team.id} and ${notExpired(teamKeys)}) < ${team.limits.keys}
        returning id, prefix, created_by as user_id, ${scope.session.id}::uuid as session_id),
      recorded as (${recordOf("created", "team-key-created", scope)})
      select id from created`);
    if (!created) return { ok: false, reason: "too-many" };
    await mailAbout(tx, name, team, acting);
    return { ok: true, id: created.id, key };
  });
}

/**
 * Mails the active owners and the member who made the key: the key opens the team, and would still
 * do so after that member has been removed.
 */
async function mailAbout(tx: Db, key: string, team: LockedTeam, acting: LockedMember) {
  for (const { userId, email: to, role, status } of team.members)
    if (userId === acting.userId || (role === "owner" && status === "active"))
      await addTeamMail(tx, "team-key-created", {
        ...{ userId, to, key, by: acting.email, team: team.name, handle: team.handle },
      });
}

export type RevokeTeamKey = { ok: true } | { ok: false; reason: "not-allowed" | "gone" };

/**
 * Revokes a key with effect from its next request. "gone" also for another team's key: the answer
 * must not reveal which of the two it was.
 */
export async function revokeTeamKey(
  db: Db,
  scope: MemberScope,
  id: string,
): Promise<RevokeTeamKey> {
  return db.transaction(async (tx) => {
    const locked = await lockTeamAs(tx, scope);
    if (!locked || !can(locked.acting.role, "manage-keys"))
      return { ok: false, reason: "not-allowed" };
    const [revoked] = await tx.execute(sql`
      with revoked as (
        delete from ${teamKeys} where ${teamKeys.teamId} = ${scope.teamId} and ${teamKeys.id} = ${id}
        returning id, prefix, ${scope.session.userId}::uuid as user_id,
          ${scope.session.id}::uuid as session_id),
      recorded as (${recordOf("revoked", "team-key-revoked", scope)})
      select id from revoked`);
    return revoked ? { ok: true } : { ok: false, reason: "gone" };
  });
}

function recordOf(
  from: string,
  kind: "team-key-created" | "team-key-revoked",
  { teamId, actor }: MemberScope,
): SQL {
  const detail = sql`jsonb_build_object('key', id, 'prefix', prefix)`;
  return recordEach(from, kind, actor.client, detail, null, teamId);
}

/** Returns the team's keys, oldest first. Expired keys are included until they are cleaned up. */
export async function listTeamKeys(db: Db, { teamId }: TeamScope): Promise<TeamKey[]> {
  const rows = await db
    .select({
      id: teamKeys.id,
      name: teamKeys.name,
      prefix: teamKeys.prefix,
      scopes: teamKeys.scopes,
      createdBy: users.name,
      byMember: sql<boolean>`${members.userId} is not null`,
      createdAt: teamKeys.createdAt,
      expiresAt: teamKeys.expiresAt,
      expired: sql<boolean>`not ${notExpired(teamKeys)}`,
      lastUsedAt: teamKeys.lastUsedAt,
    })
    .from(teamKeys)
    .leftJoin(users, eq(users.id, teamKeys.createdBy))
    .leftJoin(members, and(eq(members.teamId, teamId), eq(members.userId, teamKeys.createdBy)))
    .where(eq(teamKeys.teamId, teamId))
    .orderBy(asc(teamKeys.createdAt), teamKeys.id);
  return rows.map((row) => ({ ...row, scopes: row.scopes.filter(isTeamKeyScope) }));
}

/** Returns the team keys that the user made, by team: for a user who may have been attacked. */
export async function listTeamKeysMadeBy(
  db: Db,
  { userId }: { userId: string },
): Promise<Pick<TeamKey & { team: string }, "id" | "name" | "prefix" | "expired" | "team">[]> {
  return db
    .select({
      ...{ id: teamKeys.id, name: teamKeys.name, prefix: teamKeys.prefix, team: teams.name },
      expired: sql<boolean>`not ${notExpired(teamKeys)}`,
    })
    .from(teamKeys)
    .innerJoin(teams, eq(teams.id, teamKeys.teamId))
    .where(eq(teamKeys.createdBy, userId))
    .orderBy(sql`lower(${teams.name})`, asc(teamKeys.createdAt), teamKeys.id);
}

/**
 * Returns the live key that was presented, or null. One prepared statement, no cache. Returns null
 * without a query if the key does not have the format of a team's key. The key acts as a member.
 */
export async function findTeamKey(db: Db, key: string): Promise<PresentedTeamKey | null> {
  if (!isApiKey("team", key)) return null;
  const [row] = await findLiveKey(db, { keyHash: hashToken(key) });
  return row ? { ...row, scopes: row.scopes.filter(isTeamKeyScope) } : null;
}

/**
 * Whether the team has an active owner. While all owners are suspended, no user can stop what a key
 * does, so the key does nothing until one is back.
 */
const hasActiveOwner = sql`exists (
  select from ${members} as owning join ${users} as own on own.id = owning.user_id
  where owning.team_id = ${teamKeys.teamId} and owning.role = 'owner' and own.status = 'active')`;

const findLiveKey = prepared(() =>
  new QueryBuilder()
    .select({
      id: teamKeys.id,
      scopes: teamKeys.scopes,
      touchDue: touchDue(teamKeys),
      team: {
        id: teams.id,
        handle: teams.handle,
        name: teams.name,
        role: sql<TeamRole>`'member'`,
        plan: entitledPlan(),
        requiresStrong: teams.requiresStrong,
      },
    })
    .from(teamKeys)
    .innerJoin(teams, eq(teams.id, teamKeys.teamId))
    .where(
      and(eq(teamKeys.keyHash, sql.placeholder("keyHash")), notExpired(teamKeys), hasActiveOwner),
    ),
);

/**
 * Records that the key was used. Repeats the staleness check in its `where`, so that only one of
 * several parallel requests writes. Call it after the response.
 */
export async function touchTeamKey(db: Db, { id, team }: PresentedTeamKey): Promise<void> {
  await db
    .update(teamKeys)
    .set({ lastUsedAt: sql`now()` })
    .where(and(eq(teamKeys.teamId, team.id), eq(teamKeys.id, id), touchDue(teamKeys)));
}

/**
 * Housekeeping: deletes keys that expired a while ago. Until then the team's list shows them,
 * although they no longer work.
 */
export async function deleteExpiredTeamKeys(db: Db): Promise<void> {
  await db.delete(teamKeys).where(noLongerShown(teamKeys));
}

/** A scope that the code no longer knows grants nothing. */
function isTeamKeyScope(scope: string): scope is TeamKeyScope {
  return (teamKeyScopes as readonly string[]).includes(scope);
}
