import { and, sql } from "drizzle-orm";
import { type AdminActor, type AdminResult, administer, recorded } from "@/lib/admin/actions";
import { isShort, shortSearchReach } from "@/lib/admin/users";
import { entitledPlan } from "@/lib/billing/entitlements";
import { addTeamUpdate } from "@/lib/billing/jobs";
import type { Plan } from "@/lib/billing/plans";
import type { Db } from "@/lib/db/client";
import { after, cursor } from "@/lib/db/cursor";
import { members } from "@/lib/db/schema/members";
import { teams } from "@/lib/db/schema/teams";
import { users } from "@/lib/db/schema/users";
import { lockTeam } from "./locks";
import { addTeamMail } from "./mails/jobs";
import type { TeamRole } from "./roles";

/*
 * What administrators of the product see of teams, and the only change they can make: giving an
 * owner to a team that has no active one. Security: the lists check no right, so only pages behind
 * requireAdmin may call them; nothing here shows a team's data or gives access to it.
 */

export type AdminTeam = {
  id: string;
  handle: string;
  name: string;
  plan: Plan;
  members: number;
  createdAt: Date;
};

type Row = Omit<AdminTeam, "createdAt"> & { created_at: string };

const columns = () => sql`id, handle, name, ${entitledPlan()} as plan, created_at,
  (select count(*)::int from ${members} where ${members.teamId} = teams.id) as members`;

/**
 * Lists teams, newest first. `search` matches any part of the handle and name, case-insensitively.
 * `after` is a cursor, as in `listUsers`.
 */
export async function listAllTeams(
  db: Db,
  { search, limit, ...page }: { search?: string; after?: string; limit: number },
): Promise<(AdminTeam & { cursor: string })[]> {
  const literal = search?.replaceAll(/[\\%_]/g, "\\$&");
  // Must be exactly the expression of the index `teams_search`.
  const matches =
    literal && sql`(handle || ' ' || lower(name)) like '%' || lower(${literal}::text) || '%'`;
  const newest = sql`(select * from ${teams} order by created_at desc, id desc limit ${shortSearchReach}) teams`;
  const rows = await db.execute<Row & { cursor: string }>(sql`
    select ${columns()}, ${cursor} as cursor from ${search && isShort(search) ? newest : teams}
    where ${and(matches || undefined, after(page.after)) ?? sql`true`}
    order by created_at desc, id desc limit ${limit}`);
  return rows.map(({ created_at, ...row }) => ({ ...row, createdAt: new Date(created_at) }));
}

export type AdminMember = {
  id: string;
  name: string;
  email: string;
  role: TeamRole;
  status: "active" | "suspended";
};

/** Returns a team and its members, owners first. As many as a plan allows fit on one page. */
export async function findTeamForAdmin(
  db: Db,
  id: string,
): Promise<(AdminTeam & { requiresStrong: boolean; people: AdminMember[] }) | null> {
  const [team] = await db.execute<Row & { requiresStrong: boolean }>(sql`
    select ${columns()}, requires_strong as "requiresStrong" from ${teams} where id = ${id}`);
  if (!team) return null;
  const people = await db.execute<AdminMember>(sql`
    select ${users.id}, ${users.name}, ${users.email}, ${members.role}, ${users.status}
    from ${members} join ${users} on ${users.id} = ${members.userId}
    where ${members.teamId} = ${id}
    order by array_position(array['owner', 'admin', 'member'], ${members.role}), lower(${users.name}), ${users.id}
    limit 1000`);
  const { created_at, ...row } = team;
  return { ...row, createdAt: new Date(created_at), people: [...people] };
}

export type MakeOwner = AdminResult | { ok: false; reason: "has-owner" };

/**
 * Makes a member an owner of a team whose owners are all suspended. "has-owner": an owner is
 * active. "gone": the user is no longer a member. Administrators cannot choose themselves.
 */
export function makeOwner(
  db: Db,
  actor: AdminActor,
  teamId: string,
  userId: string,
): Promise<MakeOwner> {
  return administer<MakeOwner>(db, actor, "make-team-owner", userId, async (tx, target) => {
    const team = await lockTeam(tx, teamId, [userId]);
    const member = team?.members.find((each) => each.userId === target.id);
    if (!team || !member) return { ok: false, reason: "gone" };
    if (target.status === "suspended") return { ok: false, reason: "suspended" };
    if (team.members.some(({ role, status }) => role === "owner" && status === "active"))
      return { ok: false, reason: "has-owner" };
    await tx.execute(sql`
      with changed as (
        update ${members} set role = 'owner' where team_id = ${teamId} and user_id = ${target.id}
        returning user_id, null::uuid as session_id)
      ${recorded("changed", "team-owner-made", actor, undefined, teamId)}`);
    await addTeamUpdate(tx, teamId);
    const { handle, name } = team;
    const payload = { userId: target.id, to: target.email, team: name, handle };
    await addTeamMail(tx, "team-role-changed", { ...payload, role: "owner" });
    return { ok: true };
  });
}
