import { sql } from "drizzle-orm";
import { recordEach } from "@/lib/audit";
import { hasOtherWay, type WaysHere } from "@/lib/auth/credentials/last-way-in";
import { hashPassword, type PasswordFault, passwordFault } from "@/lib/auth/credentials/passwords";
import { addMail } from "@/lib/auth/mails/jobs";
import { nextAuthVersion } from "@/lib/auth/revocation";
import { hashToken, newToken } from "@/lib/auth/secrets";
import type { Session } from "@/lib/auth/sessions/lookup";
import type { Db } from "@/lib/db/client";
import { links } from "@/lib/db/schema/links";
import { passwords } from "@/lib/db/schema/passwords";
import { sessions } from "@/lib/db/schema/sessions";
import { users } from "@/lib/db/schema/users";
import { type ChangeRefused, changeWaysIn } from "./ways-in-change";

/*
 * Sets a first password, and removes the password. Security: the last way to log in is not removed;
 * and what began with the password ends with it, including a login in progress. The caller must
 * check sudo. Lock order: users, sessions, links.
 */

export type SetPassword =
  | { ok: true; token: string }
  /** "exists": the account has a password already, perhaps only since a moment ago. */
  | { ok: false; reason: "exists" }
  | { ok: false; reason: "password"; fault: PasswordFault }
  | ChangeRefused;

/** Sets the password of an account that has none. The session gets a new token; nothing ends. */
export async function setPassword(
  db: Db,
  session: Session,
  { presented, next }: { presented: string; next: string },
): Promise<SetPassword> {
  const fault = await passwordFault(next, [session.user.email, session.user.name]);
  if (fault) return { ok: false, reason: "password", fault };
  const hash = await hashPassword(next);
  const token = newToken();
  const change = { presented, strongWhere: null };
  return changeWaysIn<SetPassword>(db, session, change, async (tx) => {
    const [recorded] = await tx.execute<{ id: number }>(sql`
      with secured as (
        insert into ${passwords} (user_id, hash) values (${session.userId}, ${hash})
        on conflict (user_id) do nothing returning user_id),
      changed as (
        update ${sessions} set token_hash = ${hashToken(token)} from secured
        where ${sessions.id} = ${session.id}
        returning ${sessions.userId} as user_id, ${sessions.id} as session_id)
      ${recordEach("changed", "password-set", session.client)} returning id::int`);
    if (!recorded) return { ok: false, reason: "exists" };
    await mail(tx, session, "set", recorded.id);
    return { ok: true, token };
  });
}

export type RemovePassword =
  | { ok: true; token: string }
  | { ok: false; reason: "only-way" | "none" }
  | ChangeRefused;

/**
 * Removes the password. The session gets a new token. Other sessions that were begun or confirmed
 * with a password end, and so do those of all apps, because apps log in with the password.
 */
export function removePassword(
  db: Db,
  session: Session,
  presented: string,
  here: WaysHere,
): Promise<RemovePassword> {
  const token = newToken();
  const change = { presented, strongWhere: null };
  const stays = sql`(${sessions.id} = ${session.id} or
    (${sessions.kind} = 'web' and 'pwd' <> all(${sessions.amr})))`;
  return changeWaysIn<RemovePassword>(db, session, change, async (tx) => {
    if (!(await hasOtherWay(tx, session.userId, "password", here)))
      return { ok: false, reason: "only-way" };
    const [recorded] = await tx.execute<{ id: number }>(sql`
      with removed as (
        delete from ${passwords} where user_id = ${session.userId} returning user_id),
      changed as (
        update ${users} set ${nextAuthVersion} from removed where ${users.id} = removed.user_id
        returning ${users.id} as user_id, ${session.id}::uuid as session_id, auth_version),
      kept as (
        update ${sessions} set auth_version = changed.auth_version,
          token_hash = case when ${sessions.id} = changed.session_id
            then ${hashToken(token)}::bytea else token_hash end
        from changed
        where ${sessions.userId} = changed.user_id and ${stays}
          and ${sessions.authVersion} = changed.auth_version - 1),
      ended as (
        delete from ${sessions} using changed
        where ${sessions.userId} = changed.user_id and not ${stays}),
      ended_links as (
        delete from ${links} using changed
        where ${links.userId} = changed.user_id and ${links.purpose} = 'password-reset')
      ${recordEach("changed", "password-removed", session.client)} returning id::int`);
    if (!recorded) return { ok: false, reason: "none" };
    await mail(tx, session, "removed", recorded.id);
    return { ok: true, token };
  });
}

function mail(tx: Db, session: Session, change: "set" | "removed", event: number): Promise<void> {
  return addMail(tx, "password-presence", {
    ...{ userId: session.userId, to: session.user.email, client: session.client },
    ...{ at: new Date().toISOString(), change, event },
  });
}
