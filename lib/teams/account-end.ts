import { sql } from "drizzle-orm";
import { recordEach } from "@/lib/audit";
import type { Session } from "@/lib/auth/sessions/lookup";
import type { Db } from "@/lib/db/client";
import { members } from "@/lib/db/schema/members";
import { teams } from "@/lib/db/schema/teams";
import { users } from "@/lib/db/schema/users";

/*
 * Owns what the deletion of an account does to its teams. The security fact: no other member loses a team or
 * the right to administer it because one user deletes an account. Memberships and the invitations that the
 * user sent go with the account by cascade; keys of a team stay.
 */

/**
 * For `deleteAccount`, in its transaction: deletes the teams in which the user is the only member, and
 * returns the names of the teams that keep the account from being deleted, because they have other members
 * and no other owner who is active. The user's row must be locked; locks the teams, by id.
 */
export async function settleTeams(tx: Db, session: Session): Promise<string[]> {
  const { userId } = session;
  await tx.execute(sql`
    select from ${teams} where id in (select team_id from ${members} where user_id = ${userId})
    order by id for no key update`);
  const rows = await tx.execute<{ id: string; name: string; alone: boolean; blocked: boolean }>(sql`
    select ${teams.id}, ${teams.name},
      not exists (select from ${members} others
        where others.team_id = ${teams.id} and others.user_id <> ${userId}) as alone,
      own.role = 'owner' and not exists (
        select from ${members} others join ${users} on ${users.id} = others.user_id
        where others.team_id = ${teams.id} and others.user_id <> ${userId}
          and others.role = 'owner' and ${users.status} = 'active') as blocked
    from ${members} own join ${teams} on ${teams.id} = own.team_id
    where own.user_id = ${userId} order by lower(${teams.name}), ${teams.id}`);
  const blocking = rows.filter(({ alone, blocked }) => blocked && !alone);
  if (blocking.length > 0) return blocking.map(({ name }) => name);
  for (const { id, alone } of rows) {
    // Read in the team's audit log; the account's deletion takes the user out of it.
    if (alone) await tx.execute(sql`delete from ${teams} where id = ${id}`);
    else await recordLeft(tx, session, id);
  }
  return [];
}

async function recordLeft(tx: Db, { userId, client }: Session, teamId: string): Promise<void> {
  await tx.execute(sql`
    with changed as (select ${userId}::uuid as user_id, null::uuid as session_id)
    ${recordEach("changed", "team-left", client, undefined, null, teamId)}`);
}

export type Membership = { team: string; handle: string; role: string; joinedAt: Date };

/** For the download of a user's data: the teams they belong to. What is in a team is the team's. */
export async function listMemberships(db: Db, { userId }: Session): Promise<Membership[]> {
  const rows = await db.execute<Omit<Membership, "joinedAt"> & { joined_at: string }>(sql`
    select ${teams.name} as team, ${teams.handle}, own.role, own.joined_at
    from ${members} own join ${teams} on ${teams.id} = own.team_id
    where own.user_id = ${userId} order by own.joined_at, ${teams.id}`);
  return rows.map(({ joined_at, ...row }) => ({ ...row, joinedAt: new Date(joined_at) }));
}
