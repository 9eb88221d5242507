import { and, desc, eq, inArray, type SQL, sql } from "drizzle-orm";
import { alias } from "drizzle-orm/pg-core";
import { recordEach } from "@/lib/audit";
import { hashToken, isToken } from "@/lib/auth/secrets";
import type { Db } from "@/lib/db/client";
import { invitations } from "@/lib/db/schema/invitations";
import { members } from "@/lib/db/schema/members";
import { teams } from "@/lib/db/schema/teams";
import { users } from "@/lib/db/schema/users";
import { interval } from "@/lib/db/sql";
import { type LockedTeam, lockTeamAs } from "./locks";
import { addTeamMail } from "./mails/jobs";
import { teamPolicy } from "./policy";
import { can, type InvitedRole, teamRoles } from "./roles";
import type { MemberScope, TeamScope } from "./scope";

/*
 * Sends a team's invitations and shows them to their recipients; joining.ts redeems them. Security:
 * an invitation gives no more than its sender may give, and works only while the sender may still
 * give it; the link in a newer mail replaces the older link; and opening a link changes nothing.
 */

export type Invite =
  | { ok: true }
  /** "invited": the email has an open one. "full": members and open invitations use all seats. */
  | { ok: false; reason: "not-allowed" | "member" | "invited" | "full" };

/** Invites an email and adds the mail. Replaces an expired invitation to the same email. */
export async function invite(
  db: Db,
  scope: MemberScope,
  { email, role }: { email: string; role: InvitedRole },
): Promise<Invite> {
  return db.transaction(async (tx) => {
    const locked = await lockTeamAs(tx, scope);
    if (!locked || !can(locked.acting.role, "invite", { to: role }))
      return { ok: false, reason: "not-allowed" };
    const [known] = await tx.execute<{ member: boolean; invited: boolean }>(sql`
      select
        exists (select from ${members} join ${users} on ${users.id} = ${members.userId}
          where ${members.teamId} = ${scope.teamId} and ${users.email} = ${email}) as member,
        exists (select from ${invitations}
          where ${invitations.teamId} = ${scope.teamId} and ${invitations.email} = ${email}
            and ${isUnexpired}) as invited`);
    if (known?.member) return { ok: false, reason: "member" };
    if (known?.invited) return { ok: false, reason: "invited" };
    if (!(await hasFreeSeat(tx, locked.team))) return { ok: false, reason: "full" };
    const [invited] = await tx.execute<{ id: string }>(sql`
      with invited as (
        insert into ${invitations} (team_id, email, role, invited_by, expires_at)
        values (${scope.teamId}, ${email}, ${role}, ${scope.session.userId}, ${newEnd})
        on conflict (team_id, email) do update set role = excluded.role, token_hash = null,
          invited_by = excluded.invited_by, created_at = now(), expires_at = excluded.expires_at
        returning id, invited_by as user_id, ${scope.session.id}::uuid as session_id),
      recorded as (${recordEach(
        ...(["invited", "team-invited", scope.actor.client] as const),
        sql`jsonb_build_object('role', ${role}::text)`,
        null,
        scope.teamId,
      )})
      select id from invited`);
    if (!invited) throw new Error("invite: the insert returned no row.");
    await addTeamMail(tx, "invitation", {
      ...{ to: email, teamId: scope.teamId, invitation: invited.id },
    });
    return { ok: true };
  });
}

export type SendAgain = { ok: true } | { ok: false; reason: "not-allowed" | "gone" | "full" };

/**
 * Sends a new mail for an invitation, open or expired, with a new expiry. The acting member becomes
 * its sender, as with a new invitation, and the link in the previous mail stops working.
 */
export async function sendInvitationAgain(
  db: Db,
  scope: MemberScope,
  id: string,
): Promise<SendAgain> {
  return db.transaction(async (tx) => {
    const locked = await lockTeamAs(tx, scope);
    if (!locked) return { ok: false, reason: "not-allowed" };
    const invitation = await findSent(tx, scope, id);
    if (!invitation) return { ok: false, reason: "gone" };
    const { email, role } = invitation;
    if (!can(locked.acting.role, "invite", { to: role }))
      return { ok: false, reason: "not-allowed" };
    if (!(await hasFreeSeat(tx, locked.team, id))) return { ok: false, reason: "full" };
    await tx.execute(sql`
      with sent as (
        update ${invitations}
        set token_hash = null, invited_by = ${scope.session.userId}, created_at = now(),
          expires_at = ${newEnd}
        where ${invitations.teamId} = ${scope.teamId} and ${invitations.id} = ${id}
        returning invited_by as user_id, ${scope.session.id}::uuid as session_id)
      ${recordEach("sent", "team-invitation-sent-again", scope.actor.client, undefined, null, scope.teamId)}`);
    await addTeamMail(tx, "invitation", { to: email, teamId: scope.teamId, invitation: id });
    return { ok: true };
  });
}

export type Revoke = { ok: true } | { ok: false; reason: "not-allowed" | "gone" };

/** Revokes an invitation and its link. "gone": it was already accepted, declined or revoked. */
export async function revokeInvitation(db: Db, scope: MemberScope, id: string): Promise<Revoke> {
  return db.transaction(async (tx) => {
    const locked = await lockTeamAs(tx, scope);
    if (!locked || !can(locked.acting.role, "invite")) return { ok: false, reason: "not-allowed" };
    const revoked = await tx.execute(sql`
      with revoked as (
        delete from ${invitations}
        where ${invitations.teamId} = ${scope.teamId} and ${invitations.id} = ${id}
        returning ${scope.session.userId}::uuid as user_id, ${scope.session.id}::uuid as session_id)
      ${recordEach("revoked", "team-invitation-revoked", scope.actor.client, undefined, null, scope.teamId)}
      returning id`);
    return revoked.length > 0 ? { ok: true } : { ok: false, reason: "gone" };
  });
}

export type SentInvitation = {
  id: string;
  email: string;
  role: InvitedRole;
  sentBy: string;
  expiresAt: Date;
  /** It no longer works and uses no seat. It can be sent again. */
  expired: boolean;
};

/** Returns a team's invitations, newest first. */
export async function listInvitations(db: Db, scope: TeamScope): Promise<SentInvitation[]> {
  return db
    .select({
      ...{ id: invitations.id, email: invitations.email, role: invitations.role },
      ...{ sentBy: users.name, expiresAt: invitations.expiresAt },
      expired: sql<boolean>`not (${isUnexpired})`,
    })
    .from(invitations)
    .innerJoin(users, eq(users.id, invitations.invitedBy))
    .where(eq(invitations.teamId, scope.teamId))
    .orderBy(desc(invitations.createdAt), invitations.id);
}

/** Returns the email and the role of an invitation; null if the team has none with this id. */
export async function findSent(
  db: Db,
  scope: TeamScope,
  id: string,
): Promise<{ email: string; role: InvitedRole } | null> {
  const [found] = await db
    .select({ email: invitations.email, role: invitations.role })
    .from(invitations)
    .where(and(eq(invitations.teamId, scope.teamId), eq(invitations.id, id)));
  return found ?? null;
}

/** Returns how many of the plan's seats members and open invitations use. */
export async function countSeats(db: Db, { teamId }: { teamId: string }): Promise<number> {
  return countUsed(db, teamId);
}

/**
 * Returns whether one more invitation may be open. Call it with the team locked. An open invitation
 * reserves its seat, so that invited users do not find the team full when they accept. The
 * invitation `besides` is left out of the count.
 */
async function hasFreeSeat(tx: Db, { id, limits }: LockedTeam, besides?: string): Promise<boolean> {
  return (await countUsed(tx, id, besides)) < limits.members;
}

async function countUsed(db: Db, teamId: string, besides: string | null = null): Promise<number> {
  const [used] = await db.execute<{ n: number }>(sql`
    select (select count(*)::int from ${members} where ${members.teamId} = ${teamId})
      + (select count(*)::int from ${invitations} where ${invitations.teamId} = ${teamId}
          and ${isUnexpired} and ${invitations.id} is distinct from ${besides}::uuid) as n`);
  return used?.n ?? 0;
}

const newEnd = sql`now() + ${interval(teamPolicy.invitation)}`;

const isUnexpired: SQL = sql`${invitations.expiresAt} > now()`;

const inviters = teamRoles.filter((role) => can(role, "invite"));

/**
 * The only definition of when an invitation works: until it expires, and while its sender is an
 * active member who may invite. The functions that remove or demote a member delete the invitations
 * that the member sent; this condition holds even if other code forgets to.
 */
export const works: SQL = sql`${isUnexpired} and exists (
  select from ${members} as sender join ${users} as sending on sending.id = sender.user_id
  where sender.team_id = ${invitations.teamId} and sender.user_id = ${invitations.invitedBy}
    and sender.role = any(${sql.raw(`'{${inviters}}'::text[]`)}) and sending.status = 'active')`;

/** An invitation as its recipient sees it. */
export type ReceivedInvitation = {
  id: string;
  team: string;
  role: InvitedRole;
  inviter: string;
  inviterEmail: string;
  expiresAt: Date;
};

const senders = alias(users, "senders");

const received = {
  ...{ id: invitations.id, team: teams.name, role: invitations.role },
  ...{ inviter: senders.name, inviterEmail: senders.email, expiresAt: invitations.expiresAt },
};

/**
 * Returns the invitation of a mailed link, or null if the link does not work. Changes nothing: mail
 * scanners open links too.
 */
export async function findInvitation(
  db: Db,
  token: string,
): Promise<(ReceivedInvitation & { email: string; hasAccount: boolean }) | null> {
  if (!isToken(token)) return null;
  const [found] = await db
    .select({
      ...received,
      email: invitations.email,
      hasAccount: sql<boolean>`exists (
        select from ${users} where ${users.email} = ${invitations.email})`,
    })
    .from(invitations)
    .innerJoin(teams, eq(teams.id, invitations.teamId))
    .innerJoin(senders, eq(senders.id, invitations.invitedBy))
    .where(and(eq(invitations.tokenHash, hashToken(token)), works));
  return found ?? null;
}

/** Returns the open invitations to the user's email, which is verified, as every account's is. */
export async function listInvitationsFor(
  db: Db,
  { userId }: { userId: string },
): Promise<ReceivedInvitation[]> {
  const own = db.select({ email: users.email }).from(users).where(eq(users.id, userId));
  return db
    .select(received)
    .from(invitations)
    .innerJoin(teams, eq(teams.id, invitations.teamId))
    .innerJoin(senders, eq(senders.id, invitations.invitedBy))
    .where(and(inArray(invitations.email, own), works))
    .orderBy(desc(invitations.createdAt), invitations.id);
}

/** Returns how many invitations by the user, to any team, are neither used nor cleaned up. */
export async function countInvitationsBy(db: Db, { userId }: { userId: string }): Promise<number> {
  return db.$count(invitations, eq(invitations.invitedBy, userId));
}

/**
 * Housekeeping: deletes invitations that expired long ago. Until then the team sees them and can
 * send them again. Returns the number of deleted rows.
 */
export async function deleteExpiredInvitations(db: Db): Promise<number> {
  const [row] = await db.execute<{ n: number }>(sql`
    with gone as (
      delete from ${invitations}
      where ${invitations.expiresAt} < now() - ${interval(teamPolicy.expiredInvitation)} returning 1)
    select count(*)::int as n from gone`);
  return row?.n ?? 0;
}
