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
 * Owns what administrators do to other users' accounts. The security fact: the right to do it is
 * judged here, in the transaction that does it, by the actor's row under a lock, so that an actor who
 * was demoted, suspended or logged out a moment ago changes nothing, nor does one whose last proof of
 * identity was a password alone. Who acted is in the audit event; the target gets a mail. No action
 * here sets a password or returns a secret. Change with it:
 * lib/auth/roles.ts (the rules), the matrix in lib/auth/README.md.
 */

/** The user of the command line, who has the database. Never the actor of a request. */
export const operator = "operator";

/** A session, and no other `Actor`: no API key administers. */
export type AdminActor = Session | typeof operator;

/**
 * "not-allowed": the actor may not, or not any more. "gone": there is no such user, or device, any
 * more. "last-admin": no active admin would be left. "unchanged": it is so already.
 */
export type AdminResult =
  | { ok: true }
  | { ok: false; reason: "not-allowed" | "gone" | "last-admin" | "unchanged" | "suspended" };

/** Counts from the target's next request. A session that was confirmed before a rise has no sudo. */
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
 * Ends everything at once: sessions of browsers and apps, keys, links of every kind, and by the
 * version also a login that is half-way through. `reason` (at most 300 characters) is for
 * administrators alone.
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
    // The version moves on once more, for those who were suspended by hand, in SQL.
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

/** Ends every session of the target, and any login that is half-way through. */
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

/** Has a link to choose a new password mailed to the target: the actor never sees it. */
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
 * Turns two-factor off for a target who has lost phone and recovery codes, and ends all their access: if
 * an attacker asked the actor for it, no session of the attacker stays.
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

/** The same for the passkeys of a target who has lost them. */
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
 * Does `work` in one transaction, if the actor may do `act` to the target as both are now. `isLast`: no other
 * administrator is active.
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

/** Locks the actor's live, strong session: ending it waits for the end of this transaction. */
async function isStrongAndLive(tx: Db, session: Session): Promise<boolean> {
  const rows = await tx.execute(sql`
    select ${sessions.id} from ${sessions} join ${users} on ${users.id} = ${sessions.userId}
    where ${sessions.id} = ${session.id} and ${users.id} = ${session.userId} and ${live}
      and ${strong}
    for key share of ${sessions}`);
  return rows.length === 1;
}

/**
 * The audit event of what an administrator did. `by` is written into the event too, because the actor's account may be deleted before the
 * target's: an administrator's act must never look like the target's own.
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
