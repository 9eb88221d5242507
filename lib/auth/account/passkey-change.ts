import { sql } from "drizzle-orm";
import { recordEach } from "@/lib/audit";
import { hasOtherStrongWay, hasOtherWay, type WaysHere } from "@/lib/auth/credentials/last-way-in";
import { insertPasskey, spendChallenge } from "@/lib/auth/credentials/passkeys";
import { type Asked, type PasskeySite, readRegistration } from "@/lib/auth/credentials/webauthn";
import { addMail } from "@/lib/auth/mails/jobs";
import { endedSessionsBegunWith } from "@/lib/auth/revocation";
import { hashToken, newToken } from "@/lib/auth/secrets";
import type { Session } from "@/lib/auth/sessions/lookup";
import type { Db } from "@/lib/db/client";
import { passkeys } from "@/lib/db/schema/passkeys";
import { sessions } from "@/lib/db/schema/sessions";
import { type ChangeRefused, changeWaysIn } from "./ways-in-change";

/*
 * Adds and removes a user's passkeys. Security: a passkey is added only by the session whose page
 * asked for it, which must be strong if the account has a strong way; the last way to log in is not
 * removed; and the sessions that began with a passkey end when it is removed. The caller must check
 * sudo. Lock order: users, sessions.
 */

/** Returns the purpose and context of the challenge for a new passkey. */
export function addingPasskey(session: Session): Asked {
  return { purpose: "register", context: `${session.userId} ${session.id}` };
}

export type AddPasskey =
  | { ok: true; token: string }
  | { ok: false; reason: "incorrect" | "expired" | "taken" | "too-many" }
  | ChangeRefused;

/**
 * Adds a passkey. The session gets a new token, but no new proof: a passkey proves nothing about
 * the time before it was added.
 */
export async function addPasskey(
  db: Db,
  session: Session,
  { presented, answer, site }: { presented: string; answer: string; site: PasskeySite },
): Promise<AddPasskey> {
  const read = await readRegistration(site, answer, addingPasskey(session));
  if (!read.ok) return read;
  const token = newToken();
  return changeWaysIn<AddPasskey>(db, session, { presented, strongWhere: site }, async (tx) => {
    if (!(await spendChallenge(tx, read.challenge))) return { ok: false, reason: "incorrect" };
    const added = await insertPasskey(tx, session.userId, read.passkey, site.rpId);
    if (typeof added === "string") return { ok: false, reason: added };
    const [recorded] = await tx.execute<{ id: number }>(sql`
      with changed as (
        update ${sessions} set token_hash = ${hashToken(token)} where id = ${session.id}
        returning user_id, id as session_id)
      ${recordEach("changed", "passkey-added", session.client)} returning id::int`);
    await mail(tx, session, "added", added.name, recorded?.id);
    return { ok: true, token };
  });
}

export type RemovePasskey =
  /** `ended`: whether this session began with the passkey, and so has ended. */
  | { ok: true; ended: boolean }
  /** "only-way": the last way to log in. "demanded": the only strong way of an administrator. */
  | { ok: false; reason: "only-way" | "demanded" | "gone" }
  | ChangeRefused;

export function removePasskey(
  db: Db,
  session: Session,
  id: string,
  here: WaysHere,
): Promise<RemovePasskey> {
  const change = { presented: null, strongWhere: null };
  return changeWaysIn<RemovePasskey>(db, session, change, async (tx, role) => {
    const { userId } = session;
    if (!(await hasOtherWay(tx, userId, { id }, here))) return { ok: false, reason: "only-way" };
    if (role === "admin" && !(await hasOtherStrongWay(tx, userId, { id }, here)))
      return { ok: false, reason: "demanded" };
    const [removed] = await tx.execute<{ name: string; event: number; ended: boolean }>(sql`
      with changed as (
        delete from ${passkeys} where id = ${id} and user_id = ${session.userId}
        returning user_id, id as way, ${session.id}::uuid as session_id, name),
      ${endedSessionsBegunWith},
      recorded as (${recordEach("changed", "passkey-removed", session.client)} returning id)
      select name, (select id::int from recorded) as event,
        exists (select from ended_sessions where id = ${session.id}) as ended from changed`);
    if (!removed) return { ok: false, reason: "gone" };
    await mail(tx, session, "removed", removed.name, removed.event);
    return { ok: true, ended: removed.ended };
  });
}

function mail(
  tx: Db,
  session: Session,
  change: "added" | "removed",
  name: string,
  event = 0,
): Promise<void> {
  return addMail(tx, "passkey-changed", {
    ...{ userId: session.userId, to: session.user.email, client: session.client },
    ...{ at: new Date().toISOString(), change, name, event },
  });
}
