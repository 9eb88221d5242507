import { and, asc, eq, type SQL, sql } from "drizzle-orm";
import { recordEach } from "@/lib/audit";
import { addTeamUpdate } from "@/lib/billing/jobs";
import type { Db } from "@/lib/db/client";
import { invitations } from "@/lib/db/schema/invitations";
import { members } from "@/lib/db/schema/members";
import { sessions } from "@/lib/db/schema/sessions";
import { teamKeys } from "@/lib/db/schema/team-keys";
import { users } from "@/lib/db/schema/users";
import { isLastOwner, type LockedMember, type LockedTeam, lockTeamAs } from "./locks";
import { addTeamMail } from "./mails/jobs";
import { can, type TeamRole } from "./roles";
import type { MemberScope, TeamScope } from "./scope";

/*
 * The members of a team: their list, their roles, leaving and removal. Security: rights and the
 * last owner are checked on the rows under the team's lock (locks.ts), so an actor who was demoted,
 * removed or logged out a moment ago changes nothing. The statement that ends a membership also
 * deletes the invitations that the member sent and, on request, the keys that they made. Change
 * together with: roles.ts.
 */

export type ListedMember = {
  userId: string;
  name: string;
  email: string;
  role: TeamRole;
  joinedAt: Date;
  /**
   * The UTC day ("2026-03-01") of the latest activity in a session: members do not see the time.
   * Null if logged out.
   */
  lastActiveOn: string | null;
};

const listed = {
  userId: members.userId,
  name: users.name,
  email: users.email,
  role: members.role,
  joinedAt: members.joinedAt,
  lastActiveOn: sql<string | null>`(
    select to_char(max(${sessions.lastSeenAt}) at time zone 'UTC', 'YYYY-MM-DD')
    from ${sessions} where ${sessions.userId} = ${members.userId})`,
};

/** Returns all members, by name. The plan limits their number. */
export async function listMembers(db: Db, scope: TeamScope): Promise<ListedMember[]> {
  return db
    .select(listed)
    .from(members)
    .innerJoin(users, eq(users.id, members.userId))
    .where(eq(members.teamId, scope.teamId))
    .orderBy(sql`lower(${users.name})`, asc(members.userId));
}

export async function findMember(
  db: Db,
  scope: TeamScope,
  userId: string,
): Promise<ListedMember | null> {
  const [member] = await db
    .select(listed)
    .from(members)
    .innerJoin(users, eq(users.id, members.userId))
    .where(and(eq(members.teamId, scope.teamId), eq(members.userId, userId)));
  return member ?? null;
}

export type MadeKey = { id: string; name: string; prefix: string; lastUsedAt: Date | null };

/** Returns the team's keys that a user made, by name. Removing the user offers to revoke them. */
export async function listKeysMadeBy(db: Db, scope: TeamScope, userId: string): Promise<MadeKey[]> {
  return db
    .select({
      id: teamKeys.id,
      name: teamKeys.name,
      prefix: teamKeys.prefix,
      lastUsedAt: teamKeys.lastUsedAt,
    })
    .from(teamKeys)
    .where(and(eq(teamKeys.teamId, scope.teamId), eq(teamKeys.createdBy, userId)))
    .orderBy(sql`lower(${teamKeys.name})`, asc(teamKeys.id));
}

/**
 * "not-allowed": the actor may not do it (any more). "gone": the user is not a member (any more).
 * "last-owner": no active owner would be left.
 */
type Refusal<Reason extends string> = { ok: false; reason: Reason };

export type ChangeMemberRole =
  | { ok: true }
  | Refusal<"not-allowed" | "gone" | "unchanged" | "last-owner">;

/**
 * Changes a role, with effect from the member's next request. A member who becomes "member" may no
 * longer invite, so the invitations that they sent are deleted too. Owners and admins may lower
 * their own role.
 */
export async function changeMemberRole(
  db: Db,
  scope: MemberScope,
  userId: string,
  role: TeamRole,
): Promise<ChangeMemberRole> {
  return db.transaction(async (tx) => {
    const locked = await lockTeamAs(tx, scope, [userId]);
    if (!locked) return { ok: false, reason: "not-allowed" };
    const { team, acting } = locked;
    const target = memberOf(team, userId);
    if (!target) return { ok: false, reason: "gone" };
    if (!can(acting.role, "change-role", { target: target.role, to: role }))
      return { ok: false, reason: "not-allowed" };
    if (target.role === role) return { ok: false, reason: "unchanged" };
    if (isLastOwner(team, userId)) return { ok: false, reason: "last-owner" };

    const mayInvite = can(role, "invite");
    await tx.execute(sql`
      with changed as (
        update ${members} set role = ${role} where team_id = ${scope.teamId} and user_id = ${userId}
        returning user_id, ${sessionFor(scope, userId)}),
      ended_invitations as (
        delete from ${invitations}
        where team_id = ${scope.teamId} and invited_by = ${userId} and not ${mayInvite}
        returning 1)
      ${recorded("changed", "team-role-changed", scope, userId, roleDetail(role))}`);
    await addTeamUpdate(tx, scope.teamId);
    await addRoleMail(tx, team, target, role);
    if (role === "owner") await addOwnerMails(tx, team, target, acting.email, []);
    return { ok: true };
  });
}

export type TransferOwnership =
  | { ok: true }
  | Refusal<"not-allowed" | "gone" | "unchanged" | "suspended">;

/**
 * Makes another member an owner, and the acting owner an admin, in one statement.
 * "suspended": the member could not act as an owner. "unchanged": the user is the acting
 * owner. The caller must require sudo.
 */
export async function transferOwnership(
  db: Db,
  scope: MemberScope,
  userId: string,
): Promise<TransferOwnership> {
  const { userId: actorId } = scope.session;
  return db.transaction(async (tx) => {
    const locked = await lockTeamAs(tx, scope, [userId]);
    if (!locked || !can(locked.acting.role, "transfer"))
      return { ok: false, reason: "not-allowed" };
    const { team, acting } = locked;
    const target = memberOf(team, userId);
    if (!target) return { ok: false, reason: "gone" };
    if (userId === actorId) return { ok: false, reason: "unchanged" };
    if (target.status !== "active") return { ok: false, reason: "suspended" };

    await tx.execute(sql`
      with changed as (
        update ${members} set role = case user_id when ${userId}::uuid then 'owner' else 'admin' end
        where team_id = ${scope.teamId} and user_id in (${actorId}, ${userId})
        returning user_id),
      given as (
        select user_id, ${scope.session.id}::uuid as session_id from changed where user_id = ${actorId}),
      received as (
        select user_id, null::uuid as session_id from changed where user_id = ${userId}),
      recorded as (${recorded("given", "team-role-changed", scope, actorId, sql`'{"role": "admin"}'::jsonb`)})
      ${recorded("received", "team-role-changed", scope, userId, sql`'{"role": "owner"}'::jsonb`)}`);
    await addTeamUpdate(tx, scope.teamId);
    await addRoleMail(tx, team, target, "owner");
    await addRoleMail(tx, team, acting, "admin");
    await addOwnerMails(tx, team, target, acting.email, [actorId]);
    return { ok: true };
  });
}

export type LeaveTeam = { ok: true } | Refusal<"not-allowed" | "last-owner">;

/**
 * Ends the acting member's own membership and deletes the invitations that they sent. Keys that
 * they made belong to the team and stay. "not-allowed": they are no longer a member, or their
 * session has ended.
 */
export async function leaveTeam(db: Db, scope: MemberScope): Promise<LeaveTeam> {
  const { userId } = scope.session;
  return db.transaction(async (tx) => {
    const locked = await lockTeamAs(tx, scope);
    if (!locked || !can(locked.acting.role, "leave")) return { ok: false, reason: "not-allowed" };
    if (isLastOwner(locked.team, userId)) return { ok: false, reason: "last-owner" };
    await tx.execute(sql`
      with ${endedMembership(scope, userId)}
      ${recorded("ended", "team-left", scope, userId, invitationsDetail)}`);
    await addTeamUpdate(tx, scope.teamId);
    return { ok: true };
  });
}

export type RemoveMember = { ok: true } | Refusal<"not-allowed" | "gone">;

/**
 * Ends another member's membership, deletes the invitations that they sent, and revokes the keys
 * that they made except `keptKeys`, so a key that the actor has not seen is revoked. Members end
 * their own membership with `leaveTeam`; here that is "not-allowed".
 */
export async function removeMember(
  db: Db,
  scope: MemberScope,
  userId: string,
  keptKeys: string[] = [],
): Promise<RemoveMember> {
  const { session } = scope;
  return db.transaction(async (tx) => {
    const locked = await lockTeamAs(tx, scope, [userId]);
    if (!locked) return { ok: false, reason: "not-allowed" };
    const { team, acting } = locked;
    const target = memberOf(team, userId);
    if (!target) return { ok: false, reason: "gone" };
    if (userId === session.userId || !can(acting.role, "remove", { target: target.role }))
      return { ok: false, reason: "not-allowed" };

    await tx.execute(sql`
      with ${endedMembership(scope, userId)},
      revoked as (
        delete from ${teamKeys}
        where team_id = ${scope.teamId} and created_by = ${userId}
          and id <> all(${sql.param(keptKeys)}::uuid[])
        returning id, prefix, ${session.userId}::uuid as user_id, ${session.id}::uuid as session_id),
      recorded as (${recorded("revoked", "team-key-revoked", scope, session.userId, keyDetail)})
      ${recorded("ended", "team-member-removed", scope, userId, removalDetail)}`);
    await addTeamUpdate(tx, scope.teamId);
    await addTeamMail(tx, "removed-from-team", {
      ...{ userId, to: target.email, team: team.name },
    });
    return { ok: true };
  });
}

function memberOf(team: LockedTeam, userId: string): LockedMember | undefined {
  return team.members.find((member) => member.userId === userId);
}

/** The CTEs that leaving and removal share. */
const endedMembership = (scope: MemberScope, userId: string): SQL => sql`ended as (
  delete from ${members} where team_id = ${scope.teamId} and user_id = ${userId}
  returning user_id, ${sessionFor(scope, userId)}),
  ended_invitations as (
    delete from ${invitations} where team_id = ${scope.teamId} and invited_by = ${userId}
    returning 1)`;

/**
 * Returns an event's session, or null if the actor is not the event's user, who must not see
 * another member's session.
 */
const sessionFor = ({ session }: MemberScope, userId: string): SQL =>
  sql`${userId === session.userId ? session.id : null}::uuid as session_id`;

function recorded(
  from: string,
  kind: Parameters<typeof recordEach>[1],
  scope: MemberScope,
  userId: string,
  detail: SQL,
): SQL {
  const actorId = userId === scope.session.userId ? null : scope.session.userId;
  return recordEach(from, kind, scope.actor.client, detail, actorId, scope.teamId);
}

const invitationsDetail = sql`jsonb_build_object(
  'invitations', (select count(*) from ended_invitations))`;

const removalDetail = sql`jsonb_build_object(
  'invitations', (select count(*) from ended_invitations), 'keys', (select count(*) from revoked))`;

const keyDetail = sql`jsonb_build_object('key', id, 'prefix', prefix)`;

const roleDetail = (role: TeamRole): SQL =>
  sql`jsonb_build_object('role', ${role}::text, 'invitations', (select count(*) from ended_invitations))`;

function addRoleMail(
  tx: Db,
  { name, handle }: LockedTeam,
  { userId, email }: LockedMember,
  role: TeamRole,
): Promise<void> {
  return addTeamMail(tx, "team-role-changed", {
    ...{ userId, to: email, team: name, handle, role },
  });
}

/**
 * Mails the active owners about a new one, including the owner with the email `by`, who made the
 * change: an attacker may have used that owner's session. The users in `others` get another mail
 * about the change.
 */
async function addOwnerMails(
  tx: Db,
  { name: team, handle, members: locked }: LockedTeam,
  { userId: addedId, email }: LockedMember,
  by: string,
  others: string[],
): Promise<void> {
  for (const { userId, email: to, role, status } of locked)
    if (role === "owner" && status === "active" && ![addedId, ...others].includes(userId))
      await addTeamMail(tx, "team-owner-added", { userId, to, team, handle, email, by });
}
