import { type SQL, sql } from "drizzle-orm";
import { recordEach } from "@/lib/audit";
import { hasOtherStrongWay, type WaysHere } from "@/lib/auth/credentials/last-way-in";
import { replaceRecoveryCodes } from "@/lib/auth/credentials/recovery-codes";
import {
  confirmStartedApp,
  isTwoFactorOn,
  removeTwoFactor,
  startApp,
} from "@/lib/auth/credentials/two-factor";
import { addMail } from "@/lib/auth/mails/jobs";
import { endedLinks, endedSessionsBut, nextAuthVersion } from "@/lib/auth/revocation";
import type { SealingKeys } from "@/lib/auth/sealing";
import { hashToken, newToken } from "@/lib/auth/secrets";
import { proved } from "@/lib/auth/sessions/live";
import type { Session } from "@/lib/auth/sessions/lookup";
import type { Db } from "@/lib/db/client";
import { sessions } from "@/lib/db/schema/sessions";
import { users } from "@/lib/db/schema/users";
import { type ChangeRefused, changeWaysIn } from "./ways-in-change";

/*
 * Turns two-factor on and off, moves it to another app, and makes new recovery codes. Security: if
 * the user has a strong way, only a session that proved one can change two-factor; and turning it
 * on, moving it and turning it off increment the user's `auth_version`, so that sessions without
 * the new second factor end. The caller must check sudo. Lock order: users, sessions, links.
 */

type Refused<Reason extends string> = { ok: false; reason: Reason };

/** Makes a secret for a new app. It has no effect until its first code is confirmed. */
export function startTwoFactor(
  db: Db,
  session: Session,
  keys: SealingKeys,
  here: WaysHere,
): Promise<{ ok: true } | ChangeRefused> {
  const change = { presented: null, strongWhere: here };
  return changeWaysIn<{ ok: true }>(db, session, change, async (tx) => {
    await startApp(tx, session, keys);
    return { ok: true };
  });
}

export type ConfirmTwoFactor =
  | { ok: true; token: string; recoveryCodes: string[] }
  | Refused<"weak" | "ended" | "incorrect" | "none">;

/**
 * Turns two-factor on, or moves it, if `code` is a code of the started app. This session stays and
 * gets a new token; all others end. "none": no app was started, or it was started too long ago.
 */
export function confirmTwoFactor(
  db: Db,
  session: Session,
  {
    presented,
    code,
    keys,
    here,
  }: { presented: string; code: string; keys: SealingKeys; here: WaysHere },
): Promise<ConfirmTwoFactor> {
  const change = { presented, strongWhere: here };
  return changeWaysIn<ConfirmTwoFactor>(db, session, change, async (tx) => {
    const confirmed = await confirmStartedApp(tx, session, code, keys);
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

/** Turns two-factor off. "demanded": an administrator needs a strong way and has no other one. */
export function turnOffTwoFactor(
  db: Db,
  session: Session,
  presented: string,
  here: WaysHere,
): Promise<TurnOffTwoFactor> {
  const change = { presented, strongWhere: here };
  return changeWaysIn<TurnOffTwoFactor>(db, session, change, async (tx, role) => {
    if (role === "admin" && !(await hasOtherStrongWay(tx, session.userId, "two-factor", here)))
      return { ok: false, reason: "demanded" };
    if (!(await removeTwoFactor(tx, session.userId))) return { ok: false, reason: "none" };
    return { ok: true, token: await endOthers(tx, session, "off", sql``) };
  });
}

export type RenewRecoveryCodes =
  | { ok: true; recoveryCodes: string[] }
  | Refused<"weak" | "ended" | "none">;

/** Replaces the recovery codes; the old ones stop working. Ends no session. */
export function renewRecoveryCodes(
  db: Db,
  session: Session,
  here: WaysHere,
): Promise<RenewRecoveryCodes> {
  const change = { presented: null, strongWhere: here };
  return changeWaysIn<RenewRecoveryCodes>(db, session, change, async (tx) => {
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

/** Increments the version, gives this session a new token, ends all others, and mails the user. */
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
