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
 * Owns the way from an invitation to a membership. The security facts: an invitation is used up by the
 * statement that makes the member, and only for the user with its email, also where another user holds the
 * link; that email is proved, by the account's own mailed link or, where there is no account yet, by this one.
 * Lock order: the user, the team, the invitation; then the session.
 */

/** A mailed link's token, or an id of the list of the user's own invitations. */
export type InvitationRef = { token: string } | { id: string };

export type AcceptInvitation =
  | { ok: true; handle: string }
  /** "other-user": it is for another email than that of the session's user. */
  | { ok: false; reason: "dead-link" | "other-user" | "full" | "session-ended" };

/** Makes the acting user a member. A user who is one already keeps their role. */
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

/** Deletes an invitation of the acting user's email. The sender gets no mail. */
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
  /** "has-account": the email has one by now. Its user logs in and accepts; the link still works. */
  | { ok: false; reason: "dead-link" | "full" | "has-account" }
  | { ok: false; reason: "password"; fault: PasswordFault };

/**
 * An invitation as a sign-up: makes the user of its email, who is logged in and a member. The link proves the
 * mailbox, as that of a sign-up does. Whatever is refused leaves it as it was.
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

/** The same with a passkey in place of the password. "taken": another user has it. */
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

/** Before the work of a hash or a signature. What decides is read again under the locks. */
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
  // Before the user is made: afterwards nothing may be refused but by an error.
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
 * Locks the user, the team and the invitation, and reads the invitation as it is then. Null where it does not
 * work: used, revoked, expired, or its sender may no longer invite. `userId` is null for a user who is yet to
 * be made.
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
  // Its own row too: the worker renews the link without the team's lock.
  const [invitation] = await tx.execute<LockedInvitation["invitation"]>(sql`
    select ${invitations.id}, ${invitations.email}, ${invitations.role},
      ${users.id} as inviter, ${users.email} as "inviterEmail"
    from ${invitations} join ${users} on ${users.id} = ${invitations.invitedBy}
    where ${invitations.teamId} = ${team.id} and ${invitations.id} = ${found.id}
      and ${named} and ${works}
    for update of ${invitations}`);
  return invitation ? { team, invitation } : null;
}

/** Null for what is no token, and for an id without the user whose email has to be the invitation's. */
function nameOf(ref: InvitationRef, userId: string | null): SQL | null {
  if ("token" in ref)
    return isToken(ref.token) ? eq(invitations.tokenHash, hashToken(ref.token)) : null;
  return userId === null
    ? null
    : sql`${invitations.id} = ${ref.id} and ${invitations.email} in (
        select own.email from ${users} as own where own.id = ${userId})`;
}

/** The email as it is now; null where the session has ended. Call it with the user locked. */
async function liveEmail(tx: Db, { id, userId }: Session): Promise<string | null> {
  const [user] = await tx.execute<{ email: string }>(sql`
    select ${users.email} from ${sessions} join ${users} on ${users.id} = ${sessions.userId}
    where ${sessions.id} = ${id} and ${users.id} = ${userId} and ${live}
    for key share of ${sessions}`);
  return user?.email ?? null;
}

/**
 * Whether the user may become a member. The invitation has reserved the seat, but the plan may have become
 * smaller since. Call it with the team locked, in a statement of its own: in that of the insert, the count
 * would be older than the lock, and 30 users who accept at once would all find a seat.
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

/** Uses the invitation up. A user who is a member already keeps their role, and no mail is sent. */
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
