import { type SQL, sql } from "drizzle-orm";
import { recordEach } from "@/lib/audit";
import { replaceRecoveryCodes } from "@/lib/auth/credentials/recovery-codes";
import {
  confirmStartedApp,
  isTwoFactorOn,
  removeTwoFactor,
  startApp,
} from "@/lib/auth/credentials/two-factor";
import { addMail } from "@/lib/auth/mails/jobs";
import { endedLinks, endedSessionsBut, nextAuthVersion } from "@/lib/auth/revocation";
import type { Role } from "@/lib/auth/roles";
import type { SealingKeys } from "@/lib/auth/sealing";
import { hashToken, newToken } from "@/lib/auth/secrets";
import { live, proved, strong } from "@/lib/auth/sessions/live";
import type { Session } from "@/lib/auth/sessions/lookup";
import type { Db } from "@/lib/db/client";
import { sessions } from "@/lib/db/schema/sessions";
import { users } from "@/lib/db/schema/users";

/*
 * Owns turning two-factor on and off, moving it to another app, and new recovery codes. The security
 * facts: where there is a second factor, only a session that proved it changes it; and each change steps
 * the user's auth_version, so that sessions without the new second factor end. The caller asks
 * for sudo. Lock order: users, sessions, links.
 */

type Refused<Reason extends string> = { ok: false; reason: Reason };

/** "weak": the session must prove the second factor first. "ended": it is not live any more. */
type Refusal = Refused<"weak" | "ended">;

/** Makes a secret for a new app. It has no effect until its first code. */
export function startTwoFactor(
  db: Db,
  session: Session,
  keys: SealingKeys,
): Promise<{ ok: true } | Refusal> {
  return change(db, session, null, async (tx) => {
    await startApp(tx, session.userId, keys);
    return { ok: true };
  });
}

export type ConfirmTwoFactor =
  | { ok: true; token: string; recoveryCodes: string[] }
  | Refused<"weak" | "ended" | "incorrect" | "none">;

/**
 * Turns two-factor on, or moves it, if this is a code of the started app. This session stays, with a new
 * token; all others end. "none": no app was started, or too long ago.
 */
export function confirmTwoFactor(
  db: Db,
  session: Session,
  { presented, code, keys }: { presented: string; code: string; keys: SealingKeys },
): Promise<ConfirmTwoFactor> {
  return change(db, session, presented, async (tx) => {
    const confirmed = await confirmStartedApp(tx, session.userId, code, keys);
    if (confirmed === "none" || confirmed === "incorrect") return { ok: false, reason: confirmed };
    const recoveryCodes = await replaceRecoveryCodes(tx, session.userId);
    const what = confirmed.moved ? "moved" : "on";
    const token = await endOthers(tx, session, what, sql`, ${proved(["otp"])}`);
    return { ok: true, token, recoveryCodes };
  });
}

export type TurnOffTwoFactor =
  | { ok: true; token: string }
  | Refused<"weak" | "ended" | "demanded" | "none">;

/** "demanded": an administrator has to have a second factor. */
export function turnOffTwoFactor(
  db: Db,
  session: Session,
  presented: string,
): Promise<TurnOffTwoFactor> {
  return change(db, session, presented, async (tx, role) => {
    if (role === "admin") return { ok: false, reason: "demanded" };
    if (!(await removeTwoFactor(tx, session.userId))) return { ok: false, reason: "none" };
    return { ok: true, token: await endOthers(tx, session, "off", sql``) };
  });
}

export type RenewRecoveryCodes =
  | { ok: true; recoveryCodes: string[] }
  | Refused<"weak" | "ended" | "none">;

/** The old codes no longer work. Ends nothing. */
export function renewRecoveryCodes(db: Db, session: Session): Promise<RenewRecoveryCodes> {
  return change(db, session, null, async (tx) => {
    if (!(await isTwoFactorOn(tx, session.userId))) return { ok: false, reason: "none" };
    const recoveryCodes = await replaceRecoveryCodes(tx, session.userId);
    const [recorded] = await tx.execute<{ id: number }>(sql`
      with changed as (
        select ${session.userId}::uuid as user_id, ${session.id}::uuid as session_id)
      ${recordEach("changed", "recovery-codes-renewed", session.client)} returning id::int`);
    await mail(tx, session, "recovery-codes-renewed", recorded?.id ?? 0);
    return { ok: true, recoveryCodes };
  });
}

/**
 * Does `work` with the user locked, if the session is live and may change the second factor. Judged in
 * statements of their own, since a join or subquery of the one that waits for the lock sees what was
 * before: a session that ended meanwhile, or no two-factor yet.
 */
function change<T>(
  db: Db,
  session: Session,
  presented: string | null,
  work: (tx: Db, role: Role) => Promise<T | Refused<"none">>,
): Promise<T | Refusal> {
  return db.transaction(async (tx) => {
    const [user] = await tx.execute<{ role: Role }>(sql`
      select role from ${users} where id = ${session.userId} for no key update`);
    const holds = presented ? sql`${sessions.tokenHash} = ${hashToken(presented)}` : sql`true`;
    const [acting] = await tx.execute<{ strong: boolean }>(sql`
      select ${strong} as strong
      from ${sessions} join ${users} on ${users.id} = ${sessions.userId}
      where ${sessions.id} = ${session.id} and ${users.id} = ${session.userId} and ${live}
        and ${holds}
      for update of ${sessions}`);
    if (!user || !acting) return { ok: false, reason: "ended" };
    if (!acting.strong && (await isTwoFactorOn(tx, session.userId)))
      return { ok: false, reason: "weak" };
    return work(tx, user.role) as Promise<T>;
  });
}

/** Steps the version, gives this session a new token, ends all others, and mails the user. */
async function endOthers(
  tx: Db,
  session: Session,
  what: "on" | "moved" | "off",
  proof: SQL,
): Promise<string> {
  const token = newToken();
  const [recorded] = await tx.execute<{ id: number }>(sql`
    with changed as (
      update ${users} set ${nextAuthVersion} where id = ${session.userId}
      returning id as user_id, ${session.id}::uuid as session_id, auth_version),
    kept as (
      update ${sessions} set token_hash = ${hashToken(token)}, auth_version = changed.auth_version
        ${proof}
      from changed where ${sessions.id} = changed.session_id),
    ${endedSessionsBut(session.id)},
    ${endedLinks}
    ${recordEach("changed", `two-factor-${what}`, session.client)} returning id::int`);
  await mail(tx, session, what, recorded?.id ?? 0);
  return token;
}

function mail(
  tx: Db,
  session: Session,
  change: "on" | "moved" | "off" | "recovery-codes-renewed",
  event: number,
): Promise<void> {
  return addMail(tx, "two-factor-changed", {
    ...{ userId: session.userId, to: session.user.email, client: session.client },
    ...{ at: new Date().toISOString(), event, change, recoveryCodes: 0 },
  });
}
