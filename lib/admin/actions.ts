import { type SQL, sql } from "drizzle-orm";
import { type AuditKind, recordEach, unknownClient } from "@/lib/audit";
import { removeTwoFactor } from "@/lib/auth/credentials/two-factor";
import { isLastAdmin, type LockedUser, lockWithAdmins } from "@/lib/auth/last-admin";
import { addMail } from "@/lib/auth/mails/jobs";
import {
  endedAllLinks,
  endedInvitations,
  endedLinks,
  endedSessions,
  nextAuthVersion,
  removedPasskeys,
  revokedApiKeys,
} from "@/lib/auth/revocation";
import { type AdminAction, can, type Role } from "@/lib/auth/roles";
import { live, strong } from "@/lib/auth/sessions/live";
import type { Session } from "@/lib/auth/sessions/lookup";
import type { Db } from "@/lib/db/client";
import { passkeys } from "@/lib/db/schema/passkeys";
import { sessions } from "@/lib/db/schema/sessions";
import { users } from "@/lib/db/schema/users";

/*
 * Actions of administrators on other users' accounts. Security: the actor's right is checked here,
 * in the transaction of the change, on the actor's locked row. So an actor who was demoted,
 * suspended or logged out a moment ago changes nothing, nor does one whose last proof of identity
 * was only a password. The audit event records who acted; the target gets a mail. No action here
 * sets a password or returns a secret. Change with it: lib/auth/roles.ts (the rules), the matrix in
 * lib/auth/README.md.
 */

/** The user of the command line, who has access to the database. Never the actor of a request. */
export const operator = "operator";

/** A session, but no other `Actor`: an API key cannot administer. */
export type AdminActor = Session | typeof operator;

/**
 * "not-allowed": the actor lacks the right, or has lost it. "gone": the user, or the device, does
 * not exist any more. "last-admin": no active admin would be left. "unchanged": the target is in
 * that state already.
 */
export type AdminResult =
  | { ok: true }
  | { ok: false; reason: "not-allowed" | "gone" | "last-admin" | "unchanged" | "suspended" };

/**
 * Changes the role, from the target's next request on. A session that was confirmed before a
 * promotion to admin has no sudo.
 */
export function changeRole(
  db: Db,
  actor: AdminActor,
  targetId: string,
  role: Role,
): Promise<AdminResult> {
  return administer(db, actor, "change-role", targetId, async (tx, target, isLast) => {
    if (target.role === role) return { ok: false, reason: "unchanged" };
    if (isLast) return { ok: false, reason: "last-admin" };
    await tx.execute(sql`
      with changed as (
        update ${users} set role = ${role}, role_raised_at =
          case when ${role}::text = 'admin' then clock_timestamp() else role_raised_at end
        where id = ${target.id} returning id as user_id, null::uuid as session_id)
      ${recorded("changed", "role-changed", actor, sql`jsonb_build_object('role', ${role}::text)`)}`);
    await addMail(tx, "role-changed", { userId: target.id, to: target.email, role });
    return { ok: true };
  });
}

/**
 * Suspends the target, and ends everything at once: sessions of browsers and apps, API keys, links
 * of every kind and, through `auth_version`, a login in progress. `reason` (at most 300 characters)
 * is shown only to administrators.
 */
export function suspend(
  db: Db,
  actor: AdminActor,
  targetId: string,
  reason: string,
): Promise<AdminResult> {
  return administer(db, actor, "suspend", targetId, async (tx, target, isLast) => {
    if (target.status === "suspended") return { ok: false, reason: "unchanged" };
    if (isLast) return { ok: false, reason: "last-admin" };
    await tx.execute(sql`
      with changed as (
        update ${users} set status = 'suspended', suspension_reason = ${reason},
          ${nextAuthVersion}
        where id = ${target.id} returning id as user_id, null::uuid as session_id),
      ${endedSessions},
      ${revokedApiKeys},
      ${endedInvitations},
      ${endedAllLinks}
      ${recorded("changed", "suspended", actor, sql`jsonb_build_object('reason', ${reason}::text)`)}`);
    await addMail(tx, "suspended", { userId: target.id, to: target.email });
    return { ok: true };
  });
}

/** Lets the target log in again. What the suspension ended stays ended. */
export function reinstate(db: Db, actor: AdminActor, targetId: string): Promise<AdminResult> {
  return administer(db, actor, "reinstate", targetId, async (tx, target) => {
    if (target.status === "active") return { ok: false, reason: "unchanged" };
    // Increments the version again, for users who were suspended by hand, in SQL.
    await tx.execute(sql`
      with changed as (
        update ${users} set status = 'active', suspension_reason = null,
          ${nextAuthVersion}
        where id = ${target.id} returning id as user_id, null::uuid as session_id),
      ${endedSessions}
      ${recorded("changed", "reinstated", actor)}`);
    await addMail(tx, "reinstated", { userId: target.id, to: target.email });
    return { ok: true };
  });
}

/** Ends one session of the target. "gone" also when it is another user's. */
export function logOutDevice(
  db: Db,
  actor: AdminActor,
  targetId: string,
  sessionId: string,
): Promise<AdminResult> {
  return administer(db, actor, "log-out", targetId, async (tx, target) => {
    const ended = await tx.execute(sql`
      with ended as (
        delete from ${sessions} where id = ${sessionId} and user_id = ${target.id}
        returning id as session_id, user_id),
      recorded as (${recorded("ended", "session-ended", actor)})
      select session_id from ended`);
    if (ended.length === 0) return { ok: false, reason: "gone" };
    await addMail(tx, "logged-out", { userId: target.id, to: target.email, devices: "one" });
    return { ok: true };
  });
}

/** Ends every session of the target, and any login in progress. */
export function logOutEverywhere(
  db: Db,
  actor: AdminActor,
  targetId: string,
): Promise<AdminResult> {
  return administer(db, actor, "log-out", targetId, async (tx, target) => {
    await tx.execute(sql`
      with changed as (
        update ${users} set ${nextAuthVersion} where id = ${target.id}
        returning id as user_id, null::uuid as session_id),
      ${endedSessions}
      ${recorded(
        "changed",
        "all-sessions-ended",
        actor,
        sql`jsonb_build_object('ended', (select count(*) from ended_sessions))`,
      )}`);
    await addMail(tx, "logged-out", { userId: target.id, to: target.email, devices: "all" });
    return { ok: true };
  });
}

/** Mails the target a link to choose a new password. The actor never sees the link. */
export function sendReset(db: Db, actor: AdminActor, targetId: string): Promise<AdminResult> {
  return administer(db, actor, "send-reset", targetId, async (tx, target) => {
    if (target.status === "suspended") return { ok: false, reason: "suspended" };
    await tx.execute(sql`
      with changed as (select ${target.id}::uuid as user_id, null::uuid as session_id)
      ${recorded("changed", "reset-sent", actor)}`);
    await addMail(tx, "password-reset", { to: target.email, by: "administrator" });
    return { ok: true };
  });
}

/**
 * Turns two-factor off for a target who has lost phone and recovery codes, and ends all their
 * sessions and open links: if an attacker asked the actor for it, no session of the attacker stays.
 */
export function turnOffTwoFactor(
  db: Db,
  actor: AdminActor,
  targetId: string,
): Promise<AdminResult> {
  return administer(db, actor, "turn-off-two-factor", targetId, async (tx, target) => {
    if (!(await removeTwoFactor(tx, target.id))) return { ok: false, reason: "unchanged" };
    await tx.execute(sql`
      with changed as (
        update ${users} set ${nextAuthVersion} where id = ${target.id}
        returning id as user_id, null::uuid as session_id),
      ${endedSessions},
      ${endedLinks}
      ${recorded("changed", "two-factor-off", actor)}`);
    await addMail(tx, "two-factor-removed", { userId: target.id, to: target.email });
    return { ok: true };
  });
}

/** Removes the passkeys of a target who has lost them. Ends all their sessions and open links. */
export function removePasskeys(db: Db, actor: AdminActor, targetId: string): Promise<AdminResult> {
  return administer(db, actor, "remove-passkeys", targetId, async (tx, target) => {
    const removed = await tx.execute(sql`
      with owner as (select ${target.id}::uuid as user_id where exists (
        select from ${passkeys} where ${passkeys.userId} = ${target.id})),
      changed as (
        update ${users} set ${nextAuthVersion} from owner where ${users.id} = owner.user_id
        returning ${users.id} as user_id, null::uuid as session_id),
      ${removedPasskeys},
      ${endedSessions},
      ${endedLinks}
      ${recorded("changed", "passkeys-removed", actor)} returning id`);
    if (removed.length === 0) return { ok: false, reason: "unchanged" };
    await addMail(tx, "passkeys-removed", { userId: target.id, to: target.email });
    return { ok: true };
  });
}

/**
 * Runs `work` in one transaction, if the actor may do `act` to the target, by their current rows.
 * `isLast`: the target is the only active administrator.
 */
export function administer<Result = AdminResult>(
  db: Db,
  actor: AdminActor,
  act: AdminAction,
  targetId: string,
  work: (tx: Db, target: LockedUser, isLast: boolean) => Promise<Result>,
): Promise<Result | AdminResult> {
  return db.transaction(async (tx) => {
    const ids = actor === operator ? [targetId] : [actor.userId, targetId];
    const locked = await lockWithAdmins(tx, ids);
    const find = (id: string) => locked.find((each) => each.id === id.toLowerCase());
    const target = find(targetId);

    if (actor !== operator) {
      const acting = find(actor.userId);
      if (
        !acting ||
        !can(acting, act, target ?? { id: targetId }) ||
        !(await isStrongAndLive(tx, actor))
      )
        return { ok: false, reason: "not-allowed" };
    }
    if (!target) return { ok: false, reason: "gone" };
    return work(tx, target, isLastAdmin(locked, target.id));
  });
}

/** Locks the actor's live, strong session, so that ending it waits for this transaction to end. */
async function isStrongAndLive(tx: Db, session: Session): Promise<boolean> {
  const rows = await tx.execute(sql`
    select ${sessions.id} from ${sessions} join ${users} on ${users.id} = ${sessions.userId}
    where ${sessions.id} = ${session.id} and ${users.id} = ${session.userId} and ${live}
      and ${strong}
    for key share of ${sessions}`);
  return rows.length === 1;
}

/**
 * Returns the SQL that records an administrator's action. The event also contains `by`, because the
 * actor's account may be deleted before the target's: an administrator's act must never look like
 * the target's own.
 */
export function recorded(
  from: string,
  kind: AuditKind,
  actor: AdminActor,
  detail: SQL = sql`'{}'::jsonb`,
  teamId: string | null = null,
): SQL {
  const [client, actorId, by] =
    actor === operator
      ? [unknownClient, null, operator]
      : [actor.client, actor.userId, "administrator"];
  return recordEach(
    from,
    kind,
    client,
    sql`${detail} || jsonb_build_object('by', ${by}::text)`,
    actorId,
    teamId,
  );
}
