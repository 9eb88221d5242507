import { eq, type SQL, sql } from "drizzle-orm";
import { recordEach } from "@/lib/audit";
import {
  createProvenUser,
  type NewUser,
  type SignedUp,
  signingUpWithPasskey,
  type Visit,
} from "@/lib/auth/account/sign-up";
import { spendChallenge } from "@/lib/auth/credentials/passkeys";
import { hashPassword, type PasswordFault, passwordFault } from "@/lib/auth/credentials/passwords";
import {
  handleOfSignUp,
  type PasskeySite,
  readRegistration,
} from "@/lib/auth/credentials/webauthn";
import { hashToken, isToken } from "@/lib/auth/secrets";
import { live } from "@/lib/auth/sessions/live";
import type { Session } from "@/lib/auth/sessions/lookup";
import { addTeamUpdate } from "@/lib/billing/jobs";
import type { Db } from "@/lib/db/client";
import { unlessTaken } from "@/lib/db/errors";
import { invitations } from "@/lib/db/schema/invitations";
import { members } from "@/lib/db/schema/members";
import { sessions } from "@/lib/db/schema/sessions";
import { users } from "@/lib/db/schema/users";
import type { Client } from "@/lib/http";
import { findInvitation, works } from "./invitations";
import { type LockedTeam, lockTeam } from "./locks";
import { addTeamMail } from "./mails/jobs";
import type { InvitedRole } from "./roles";

/*
 * Turns an invitation into a membership. Security: one statement makes the member and deletes the
 * invitation, and only for the user with the invited email, even if another user has the link. That
 * email is verified: by the account's own mailed link or, without an account yet, by the
 * invitation's link. Lock order: the user, the team, the invitation; then the session.
 */

/** The token of a mailed link, or the id of an invitation in the user's own list. */
export type InvitationRef = { token: string } | { id: string };

export type AcceptInvitation =
  | { ok: true; handle: string }
  /** "other-user": it is for another email than that of the session's user. */
  | { ok: false; reason: "dead-link" | "other-user" | "full" | "session-ended" };

/** Makes the acting user a member. A user who is already a member keeps their role. */
export async function acceptInvitation(
  db: Db,
  session: Session,
  ref: InvitationRef,
): Promise<AcceptInvitation> {
  return db.transaction(async (tx) => {
    const locked = await lockInvitation(tx, ref, session.userId);
    if (!locked) return { ok: false, reason: "dead-link" };
    const email = await liveEmail(tx, session);
    if (email === null) return { ok: false, reason: "session-ended" };
    if (email !== locked.invitation.email) return { ok: false, reason: "other-user" };
    if (!(await hasSeat(tx, locked.team, session.userId))) return { ok: false, reason: "full" };
    await join(
      tx,
      locked,
      { userId: session.userId, sessionId: session.id, email },
      session.client,
    );
    return { ok: true, handle: locked.team.handle };
  });
}

export type DeclineInvitation = { ok: true } | { ok: false; reason: "dead-link" | "session-ended" };

/** Deletes an invitation to the acting user's email. The sender gets no mail. */
export async function declineInvitation(
  db: Db,
  session: Session,
  id: string,
): Promise<DeclineInvitation> {
  return db.transaction(async (tx) => {
    const locked = await lockInvitation(tx, { id }, session.userId);
    if (!locked) return { ok: false, reason: "dead-link" };
    const { team, invitation } = locked;
    const email = await liveEmail(tx, session);
    if (email === null) return { ok: false, reason: "session-ended" };
    const declined = await tx.execute(sql`
      with declined as (
        delete from ${invitations}
        where ${invitations.teamId} = ${team.id} and ${invitations.id} = ${invitation.id}
          and ${invitations.email} = ${email}
        returning ${session.userId}::uuid as user_id, ${session.id}::uuid as session_id)
      ${recordEach("declined", "team-invitation-declined", session.client, undefined, null, team.id)}
      returning id`);
    return declined.length > 0 ? { ok: true } : { ok: false, reason: "dead-link" };
  });
}

export type RedeemInvitation =
  | (SignedUp & { handle: string })
  /** "has-account": the email has one now. Its user logs in and accepts; the link still works. */
  | { ok: false; reason: "dead-link" | "full" | "has-account" }
  | { ok: false; reason: "password"; fault: PasswordFault };

/**
 * Signs up with an invitation: creates the user with its email, logs them in and makes them a
 * member. The link verifies the mailbox, as a sign-up link does. If it is refused, the
 * invitation is unchanged.
 */
export async function redeemInvitation(
  db: Db,
  token: string,
  { name, password }: { name: string; password: string },
  visit: Visit,
): Promise<RedeemInvitation> {
  const found = await findForNewUser(db, token);
  if (!found.ok) return found;
  const fault = await passwordFault(password, [found.email, name]);
  if (fault) return { ok: false, reason: "password", fault };
  const hash = await hashPassword(password);
  return db.transaction((tx) => joinAsNewUser(tx, token, { name, hash }, visit));
}

export type RedeemInvitationWithPasskey =
  | (SignedUp & { handle: string })
  | { ok: false; reason: "dead-link" | "full" | "has-account" | "incorrect" | "expired" | "taken" };

/** Like `redeemInvitation`, with a passkey instead. "taken": another user has this passkey. */
export async function redeemInvitationWithPasskey(
  db: Db,
  token: string,
  chosen: { name: string; answer: string; site: PasskeySite },
  visit: Visit,
): Promise<RedeemInvitationWithPasskey> {
  const found = await findForNewUser(db, token);
  if (!found.ok) return found;
  const { name, answer, site } = chosen;
  const read = await readRegistration(site, answer, signingUpWithPasskey(token));
  if (!read.ok) return read;
  const handle = handleOfSignUp(site.secret, token);
  return unlessTaken<RedeemInvitationWithPasskey>(db, async (tx) => {
    if (!(await spendChallenge(tx, read.challenge))) return { ok: false, reason: "incorrect" };
    const user = { name, passkey: read.passkey, rpId: site.rpId, handle };
    return joinAsNewUser(tx, token, user, visit);
  });
}

/** A check before the expensive hash or signature. What decides is read again under the locks. */
async function findForNewUser(
  db: Db,
  token: string,
): Promise<{ ok: true; email: string } | { ok: false; reason: "dead-link" | "has-account" }> {
  const found = await findInvitation(db, token);
  if (!found) return { ok: false, reason: "dead-link" };
  if (found.hasAccount) return { ok: false, reason: "has-account" };
  return { ok: true, email: found.email };
}

async function joinAsNewUser(
  tx: Db,
  token: string,
  chosen: NewUser,
  visit: Visit,
): Promise<
  (SignedUp & { handle: string }) | { ok: false; reason: "dead-link" | "full" | "has-account" }
> {
  const locked = await lockInvitation(tx, { token }, null);
  if (!locked) return { ok: false, reason: "dead-link" };
  // Checked before the user is created: after that, only an error, which rolls back, may refuse.
  if (!(await hasSeat(tx, locked.team, null))) return { ok: false, reason: "full" };
  const { email } = locked.invitation;
  const signedUp = await createProvenUser(tx, email, chosen, visit);
  if (!signedUp) return { ok: false, reason: "has-account" };
  const { userId } = signedUp.account;
  await join(tx, locked, { userId, sessionId: null, email }, visit.client);
  return { ...signedUp, handle: locked.team.handle };
}

type LockedInvitation = {
  team: LockedTeam;
  invitation: {
    id: string;
    email: string;
    role: InvitedRole;
    inviter: string;
    inviterEmail: string;
  };
};

/**
 * Locks the user, the team and the invitation, then reads the invitation. Returns null if it does
 * not work: used, revoked, expired, or its sender may no longer invite. `userId` is null for a user
 * who does not exist yet.
 */
async function lockInvitation(
  tx: Db,
  ref: InvitationRef,
  userId: string | null,
): Promise<LockedInvitation | null> {
  const named = nameOf(ref, userId);
  if (!named) return null;
  const [found] = await tx
    .select({ id: invitations.id, teamId: invitations.teamId })
    .from(invitations)
    .where(named);
  const team = found && (await lockTeam(tx, found.teamId, userId ? [userId] : []));
  if (!team) return null;
  // Locks the invitation's row too: the worker renews its link without the team's lock.
  const [invitation] = await tx.execute<LockedInvitation["invitation"]>(sql`
    select ${invitations.id}, ${invitations.email}, ${invitations.role},
      ${users.id} as inviter, ${users.email} as "inviterEmail"
    from ${invitations} join ${users} on ${users.id} = ${invitations.invitedBy}
    where ${invitations.teamId} = ${team.id} and ${invitations.id} = ${found.id}
      and ${named} and ${works}
    for update of ${invitations}`);
  return invitation ? { team, invitation } : null;
}

/**
 * Returns the condition that selects the invitation. Null for a malformed token, and for an id
 * without a user: that user's email has to be the invitation's.
 */
function nameOf(ref: InvitationRef, userId: string | null): SQL | null {
  if ("token" in ref)
    return isToken(ref.token) ? eq(invitations.tokenHash, hashToken(ref.token)) : null;
  return userId === null
    ? null
    : sql`${invitations.id} = ${ref.id} and ${invitations.email} in (
        select own.email from ${users} as own where own.id = ${userId})`;
}

/** Returns the user's current email; null if the session has ended. The user must be locked. */
async function liveEmail(tx: Db, { id, userId }: Session): Promise<string | null> {
  const [user] = await tx.execute<{ email: string }>(sql`
    select ${users.email} from ${sessions} join ${users} on ${users.id} = ${sessions.userId}
    where ${sessions.id} = ${id} and ${users.id} = ${userId} and ${live}
    for key share of ${sessions}`);
  return user?.email ?? null;
}

/**
 * Returns whether the user may become a member. The invitation reserved a seat, but the plan
 * may have become smaller since. Call it with the team locked and as a separate statement:
 * inside the insert, the count would be older than the lock, and 30 users who accept at once
 * would all find a seat.
 */
async function hasSeat(
  tx: Db,
  { id, limits }: LockedTeam,
  userId: string | null,
): Promise<boolean> {
  const [seats] = await tx.execute<{ n: number; member: boolean }>(sql`
    select count(*)::int as n, coalesce(bool_or(${members.userId} = ${userId}::uuid), false) as member
    from ${members} where ${members.teamId} = ${id}`);
  return !seats || seats.member || seats.n < limits.members;
}

/** Uses the invitation up. A user who is already a member keeps their role; no mail is sent. */
async function join(
  tx: Db,
  { team, invitation }: LockedInvitation,
  user: { userId: string; sessionId: string | null; email: string },
  client: Client,
): Promise<void> {
  const [result] = await tx.execute<{ used: boolean; joined: boolean }>(sql`
    with used as (
      delete from ${invitations}
      where ${invitations.teamId} = ${team.id} and ${invitations.id} = ${invitation.id}
        and ${invitations.email} = ${user.email}
      returning ${invitations.role} as role),
    joined as (
      insert into ${members} (team_id, user_id, role)
      select ${team.id}::uuid, ${user.userId}::uuid, role from used
      on conflict do nothing
      returning user_id, ${user.sessionId}::uuid as session_id, role),
    recorded as (${recordEach(
      ...(["joined", "team-joined", client] as const),
      sql`jsonb_build_object('role', role)`,
      null,
      team.id,
    )})
    select exists (select from used) as used, exists (select from joined) as joined`);
  if (!result?.used) throw new Error("join: lock the invitation first, and compare its email.");
  if (!result.joined) return;
  await addTeamUpdate(tx, team.id);
  await addTeamMail(tx, "joined-team", {
    ...{ userId: invitation.inviter, to: invitation.inviterEmail },
    ...{ team: team.name, handle: team.handle, email: user.email },
  });
}
