import { sql } from "drizzle-orm";
import { recordEach } from "@/lib/audit";
import {
  hashPassword,
  hasPassword,
  type PasswordFault,
  passwordFault,
  verifyPassword,
} from "@/lib/auth/credentials/passwords";
import { findLink, lockLinkUser, usedLink } from "@/lib/auth/links";
import { resetLogInAttempts } from "@/lib/auth/login/attempts";
import type { BrowserAccount } from "@/lib/auth/login/known-browsers";
import { addMail } from "@/lib/auth/mails/jobs";
import {
  endedInvitations,
  endedLinks,
  endedSessions,
  endedSessionsBut,
  nextAuthVersion,
  nextBrowserEpoch,
  removedIdentities,
  removedPasskeys,
  revokedApiKeyCount,
  revokedApiKeys,
  revokedTeamKeys,
} from "@/lib/auth/revocation";
import { hashToken, newToken } from "@/lib/auth/secrets";
import { proved } from "@/lib/auth/sessions/live";
import type { Session } from "@/lib/auth/sessions/lookup";
import type { Db } from "@/lib/db/client";
import { passwords } from "@/lib/db/schema/passwords";
import { sessions } from "@/lib/db/schema/sessions";
import { users } from "@/lib/db/schema/users";
import type { Client } from "@/lib/http";

/*
 * Sets a new password, by a logged-in user or by a mailed link. Security: both ways increment the
 * user's `auth_version`, so that every other session ends, and every login, change or reset in
 * progress with the old password; and the browser epoch, so that no browser but this one stays
 * known. Of two concurrent changes, the first to commit wins, and the other is refused.
 */

export type ChangePassword =
  | { ok: true; token: string; account: BrowserAccount }
  | { ok: false; reason: "incorrect" | "overtaken" }
  | { ok: false; reason: "password"; fault: PasswordFault };

/**
 * Changes the password of a logged-in user who knows the current one. This device stays, with the
 * returned new token; all others end, and so do open links. "overtaken": another change, a reset or
 * a logout came first, and nothing was changed.
 */
export async function changePassword(
  db: Db,
  session: Session,
  change: { presented: string; current: string; next: string },
): Promise<ChangePassword> {
  const { email, name } = session.user;
  const proof = await verifyPassword(db, email, change.current);
  if (proof?.userId !== session.userId) return { ok: false, reason: "incorrect" };
  const fault = await passwordFault(change.next, [email, name]);
  if (fault) return { ok: false, reason: "password", fault };
  const hash = await hashPassword(change.next);
  const token = newToken();

  return db.transaction(async (tx) => {
    // Lock first, so that the second statement sees every session that a concurrent login has made.
    const [user] = await tx.execute(sql`
      select ${users.id} from ${users} join ${sessions} on ${sessions.userId} = ${users.id}
      where ${users.id} = ${session.userId} and ${users.authVersion} = ${proof.authVersion}
        and ${users.status} = 'active' and ${sessions.id} = ${session.id}
        and ${sessions.authVersion} = ${users.authVersion} and ${sessions.tokenHash} = ${hashToken(change.presented)}
      for no key update`);
    // Wrong codes may have retired the password since it was compared.
    if (!user || !(await hasPassword(tx, session.userId)))
      return { ok: false, reason: "overtaken" };

    // With two-factor, a password alone proves no identity: sudo and strength stay as they were.
    const [changed] = await tx.execute<{ device_epoch: number }>(sql`
      with changed as (
        update ${users} set ${nextAuthVersion}, ${nextBrowserEpoch} where id = ${session.userId}
        returning id as user_id, ${session.id}::uuid as session_id, auth_version, device_epoch),
      secured as (
        update ${passwords} set hash = ${hash}, changed_at = now() from changed
        where ${passwords.userId} = changed.user_id),
      kept as (
        update ${sessions} set token_hash = ${hashToken(token)}, auth_version = changed.auth_version
          ${proof.twoFactor ? sql`` : sql`, ${proved(["pwd"])}`}
        from changed where ${sessions.id} = changed.session_id),
      ${endedSessionsBut(session.id)},
      ${endedLinks},
      recorded as (${recordEach("changed", "password-changed", session.client)})
      select device_epoch from changed`);
    if (!changed) throw new Error("changePassword: the locked user's update returned no row.");
    await addMail(tx, "password-changed", {
      userId: session.userId,
      to: email,
      client: session.client,
      at: new Date().toISOString(),
    });
    return {
      ...{ ok: true, token },
      account: { userId: session.userId, browserEpoch: changed.device_epoch },
    };
  });
}

export type RedeemPasswordReset =
  | { ok: true; account: BrowserAccount }
  | { ok: false; reason: "dead-link" }
  | { ok: false; reason: "password"; fault: PasswordFault };

/**
 * Sets a new password by a mailed link. Ends all sessions and starts none: an attacker who reads
 * the mailbox would have to log in with the new password, which the owner would notice. API keys,
 * including those of teams that the user made, stay unless `revokeApiKeys`: a forgotten password
 * must not stop servers. Passkeys, connected accounts and sent invitations stay unless `attacked`:
 * one may be the attacker's. A refused password leaves the link unchanged.
 */
export async function redeemPasswordReset(
  db: Db,
  token: string,
  {
    password,
    revokeApiKeys,
    attacked = false,
  }: { password: string; revokeApiKeys: boolean; attacked?: boolean },
  client: Client,
): Promise<RedeemPasswordReset> {
  const link = await findLink(db, token, "password-reset");
  if (!link) return { ok: false, reason: "dead-link" };
  const fault = await passwordFault(password, [link.email, link.name]);
  if (fault) return { ok: false, reason: "password", fault };
  const hash = await hashPassword(password);

  return db.transaction(async (tx) => {
    if (!(await lockLinkUser(tx, token))) return { ok: false, reason: "dead-link" };
    const [changed] = await tx.execute<{ user_id: string; device_epoch: number }>(sql`
      with ${usedLink(token, "password-reset")},
      changed as (
        update ${users} set ${nextAuthVersion}, ${nextBrowserEpoch} from link
        where ${users.id} = link.user_id and ${users.email} = link.sent_to
          and ${users.status} = 'active'
        returning ${users.id} as user_id, null::uuid as session_id, device_epoch),
      secured as (
        insert into ${passwords} (user_id, hash) select user_id, ${hash}::text from changed
        on conflict (user_id) do update set hash = excluded.hash, changed_at = now()),
      ${endedSessions},
      ${endedLinks},
      ${revokeApiKeys ? sql`${revokedApiKeys}, ${revokedTeamKeys},` : sql``}
      ${attacked ? sql`${removedPasskeys}, ${removedIdentities}, ${endedInvitations},` : sql``}
      recorded as (${recordEach(
        "changed",
        "password-reset",
        client,
        revokeApiKeys ? revokedApiKeyCount : undefined,
      )})
      select user_id, device_epoch from changed`);
    if (!changed) return { ok: false, reason: "dead-link" };
    // The password that the failed logins guessed at no longer exists.
    await resetLogInAttempts(tx, link.sentTo);
    await addMail(tx, "password-changed", {
      userId: changed.user_id,
      to: link.sentTo,
      client,
      at: new Date().toISOString(),
    });
    return {
      ok: true,
      account: { userId: changed.user_id, browserEpoch: changed.device_epoch },
    };
  });
}
