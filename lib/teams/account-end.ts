import { sql } from "drizzle-orm";
import { recordEach } from "@/lib/audit";
import type { Settled, Settlement } from "@/lib/auth/account/deletion";
import type { Session } from "@/lib/auth/sessions/lookup";
import { addTeamUpdate } from "@/lib/billing/jobs";
import { endBilling } from "@/lib/billing/reconcile";
import type { Db } from "@/lib/db/client";
import { members } from "@/lib/db/schema/members";
import { teams } from "@/lib/db/schema/teams";
import { users } from "@/lib/db/schema/users";
import { involvedUsers } from "./deletion";

/*
 * What deleting an account does to the user's teams. Security: deleting one account never deletes a
 * team that has other members, and never takes away its last active owner. The user's memberships
 * and the invitations that they sent are deleted by cascade; API keys of a team stay.
 */

/** Passed to `deleteAccount`. Deletes the teams in which the user is the only member. */
export const settleTeams: Settlement = { involvedUsers: usersOfSoleTeams, settle };

/** Returns the users to lock before these teams are deleted, as `deleteTeam` locks them. */
async function usersOfSoleTeams(tx: Db, { userId }: Session): Promise<string[]> {
  const sole = await tx.execute<{ id: string }>(sql`
    select own.team_id as id from ${members} own where own.user_id = ${userId} and not exists (
      select from ${members} others where others.team_id = own.team_id and others.user_id <> ${userId})`);
  const involved = [];
  for (const { id } of sole) involved.push(...(await involvedUsers(tx, id)));
  return involved;
}

/**
 * Refuses with "needed-by-teams" if teams have other members and no other active owner, and with
 * "guarded-teams" if teams that would be deleted require a stronger proof than the session has. The
 * user's row must already be locked. Locks the teams, ordered by id.
 */
async function settle(tx: Db, session: Session): Promise<Settled> {
  const { userId, strong } = session;
  await tx.execute(sql`
    select from ${teams} where id in (select team_id from ${members} where user_id = ${userId})
    order by id for no key update`);
  type Row = { id: string; name: string; alone: boolean; blocked: boolean; guarded: boolean };
  const rows = await tx.execute<Row>(sql`
    select ${teams.id}, ${teams.name}, ${teams.requiresStrong} as guarded,
      not exists (select from ${members} others
        where others.team_id = ${teams.id} and others.user_id <> ${userId}) as alone,
      own.role = 'owner' and not exists (
        select from ${members} others join ${users} on ${users.id} = others.user_id
        where others.team_id = ${teams.id} and others.user_id <> ${userId}
          and others.role = 'owner' and ${users.status} = 'active') as blocked
    from ${members} own join ${teams} on ${teams.id} = own.team_id
    where own.user_id = ${userId} order by lower(${teams.name}), ${teams.id}`);
  const blocking = rows.filter(({ alone, blocked }) => blocked && !alone);
  if (blocking.length > 0)
    return { ok: false, reason: "needed-by-teams", teams: blocking.map(nameOf) };
  const guarded = rows.filter((team) => team.alone && team.guarded && !strong);
  if (guarded.length > 0) return { ok: false, reason: "guarded-teams", teams: guarded.map(nameOf) };
  for (const { id, alone } of rows) {
    if (alone) await deleteSole(tx, session, id);
    // This event shows in the team's audit log. Deleting the account removes the user from it.
    else await recordLeft(tx, session, id);
  }
  return { ok: true };
}

const nameOf = ({ name }: { name: string }) => name;

async function deleteSole(tx: Db, { userId, client }: Session, teamId: string): Promise<void> {
  await endBilling(tx, teamId);
  await tx.execute(sql`
    with deleted as (
      delete from ${teams} where id = ${teamId}
      returning ${userId}::uuid as user_id, null::uuid as session_id)
    ${recordEach("deleted", "team-deleted", client)}`);
}

async function recordLeft(tx: Db, { userId, client }: Session, teamId: string): Promise<void> {
  await tx.execute(sql`
    with changed as (select ${userId}::uuid as user_id, null::uuid as session_id)
    ${recordEach("changed", "team-left", client, undefined, null, teamId)}`);
  await addTeamUpdate(tx, teamId);
}

export type Membership = { team: string; handle: string; role: string; joinedAt: Date };

/** For the download of a user's data: returns their teams, without the teams' own data. */
export async function listMemberships(db: Db, { userId }: Session): Promise<Membership[]> {
  const rows = await db.execute<Omit<Membership, "joinedAt"> & { joined_at: string }>(sql`
    select ${teams.name} as team, ${teams.handle}, own.role, own.joined_at
    from ${members} own join ${teams} on ${teams.id} = own.team_id
    where own.user_id = ${userId} order by own.joined_at, ${teams.id}`);
  return rows.map(({ joined_at, ...row }) => ({ ...row, joinedAt: new Date(joined_at) }));
}
