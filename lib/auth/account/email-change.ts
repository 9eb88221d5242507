import { and, eq, sql } from "drizzle-orm";
import { recordEach } from "@/lib/audit";
import { lockLinkUser, usedLink } from "@/lib/auth/links";
import type { BrowserAccount } from "@/lib/auth/login/known-browsers";
import { addMail } from "@/lib/auth/mails/jobs";
import {
  endedAllLinks,
  endedIdentities,
  endedLinks,
  endedPasskeys,
  endedSessions,
  endedSessionsBut,
  endedTeamAccess,
  endedTwoFactor,
  nextAuthVersion,
  nextBrowserEpoch,
  retiredPassword,
  revokedApiKeyCount,
  revokedApiKeys,
} from "@/lib/auth/revocation";
import type { Session } from "@/lib/auth/sessions/lookup";
import type { Db } from "@/lib/db/client";
import { unlessTaken } from "@/lib/db/errors";
import { sessions } from "@/lib/db/schema/sessions";
import { users } from "@/lib/db/schema/users";
import type { Client } from "@/lib/http";

/*
 * Changes a user's email. Security: the email changes only by a link that was sent to the new one.
 * The old email gets a link that reverts the change for a week, whatever happens meanwhile. An
 * attacker who changed the email knows the password, so reverting also retires the password.
 */

/**
 * Mails a link to the new email. If the account changes before the mail is rendered, the mail is
 * not sent and its link not made: the job holds the `auth_version` of this session.
 */
export async function requestEmailChange(db: Db, session: Session, to: string): Promise<void> {
  await db.transaction(async (tx) => {
    const [user] = await tx
      .select({ authVersion: users.authVersion })
      .from(users)
      .innerJoin(sessions, eq(sessions.userId, users.id))
      .where(and(eq(sessions.id, session.id), eq(sessions.authVersion, users.authVersion)));
    // The session has ended since it was looked up: the request is too late; no mail was promised.
    if (!user) return;
    await tx.execute(sql`
      with asked as (select ${session.userId}::uuid as user_id, ${session.id}::uuid as session_id)
      ${recordEach("asked", "email-change-requested", session.client)}`);
    await addMail(tx, "email-change", {
      userId: session.userId,
      to,
      authVersion: user.authVersion,
    });
  });
}

export type RedeemEmailChange =
  | { ok: true /** Whether `visit.session` stays. */; kept: boolean }
  | { ok: false; reason: "dead-link" | "taken" };

/**
 * Gives the user the email that the link was sent to. Ends all their sessions but `visit.session`,
 * if it is theirs, and revokes their API keys, because the account may have changed hands. "taken":
 * another account now has the email; only the holder of its mailbox learns that.
 */
export async function redeemEmailChange(
  db: Db,
  token: string,
  visit: { session: Session | null; client: Client },
): Promise<RedeemEmailChange> {
  const keep = visit.session?.id ?? null;

  return unlessTaken(db, async (tx) => {
    const before = await lockLinkUser(tx, token);
    if (!before) return { ok: false, reason: "dead-link" };
    const [changed] = await tx.execute<{ kept: boolean; event: number }>(sql`
      with ${usedLink(token, "email-change")},
      changed as (
        update ${users} set email = link.sent_to, ${nextAuthVersion} from link
        where ${users.id} = link.user_id and ${users.status} = 'active'
        returning ${users.id} as user_id, null::uuid as session_id,
          ${users.authVersion} as auth_version),
      kept as (
        update ${sessions} set auth_version = changed.auth_version from changed
        where ${sessions.id} = ${keep}::uuid and ${sessions.userId} = changed.user_id
          and ${sessions.authVersion} = changed.auth_version - 1
        returning ${sessions.id}),
      ${endedSessionsBut(keep)},
      ${endedLinks},
      ${revokedApiKeys},
      recorded as (${recordEach("changed", "email-changed", visit.client, revokedApiKeyCount)}
        returning id)
      select exists (select from kept) as kept, (select id::int from recorded) as event
      from changed`);
    if (!changed) return { ok: false, reason: "dead-link" };
    await addMail(tx, "email-changed", {
      userId: before.userId,
      to: before.email,
      event: changed.event,
      client: visit.client,
      at: new Date().toISOString(),
    });
    return { ok: true, kept: changed.kept };
  });
}

export type RedeemEmailRestore =
  | { ok: true; account: BrowserAccount }
  | { ok: false; reason: "dead-link" | "taken" };

/**
 * Reverts a change of email, ends all access to the account (including its password) and mails a
 * link to set a new one. Every open link ends, including those that undo an attack, because an
 * email that the attacker used in between has one.
 */
export async function redeemEmailRestore(
  db: Db,
  token: string,
  client: Client,
): Promise<RedeemEmailRestore> {
  return unlessTaken(db, async (tx) => {
    if (!(await lockLinkUser(tx, token))) return { ok: false, reason: "dead-link" };
    const [changed] = await tx.execute<{
      user_id: string;
      email: string;
      device_epoch: number;
    }>(sql`
      with ${usedLink(token, "email-restore")},
      changed as (
        update ${users} set email = link.sent_to, ${nextAuthVersion}, ${nextBrowserEpoch} from link
        where ${users.id} = link.user_id and ${users.status} = 'active'
        returning ${users.id} as user_id, null::uuid as session_id, email, device_epoch),
      ${endedSessions},
      ${endedAllLinks},
      ${revokedApiKeys},
      ${retiredPassword},
      ${endedTwoFactor},
      ${endedPasskeys},
      ${endedIdentities},
      ${endedTeamAccess},
      recorded as (${recordEach("changed", "email-restored", client, revokedApiKeyCount)})
      select user_id, email, device_epoch from changed`);
    if (!changed) return { ok: false, reason: "dead-link" };
    await addMail(tx, "password-reset", { to: changed.email });
    return {
      ok: true,
      account: { userId: changed.user_id, browserEpoch: changed.device_epoch },
    };
  });
}
