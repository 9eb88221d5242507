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
 * Owns a user's email. The security fact: it changes only by a link that was sent to the new one, and
 * the old one gets a link that takes the change back, for a week, whatever happens meanwhile. Who
 * changed it without being the owner knows the password, so taking it back retires the password.
 */

/**
 * Mails a link to the new email. The mail is not written, and its link not made, when the account
 * has changed by then: it holds the version that this session has been found with.
 */
export async function requestEmailChange(db: Db, session: Session, to: string): Promise<void> {
  await db.transaction(async (tx) => {
    const [user] = await tx
      .select({ authVersion: users.authVersion })
      .from(users)
      .innerJoin(sessions, eq(sessions.userId, users.id))
      .where(and(eq(sessions.id, session.id), eq(sessions.authVersion, users.authVersion)));
    // Ended since it was looked up: then its request has come too late, and nothing was promised.
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
  | { ok: true /** The presented session goes on. */; kept: boolean }
  | { ok: false; reason: "dead-link" | "taken" };

/**
 * Makes the email that the link was sent to the user's. Ends all their sessions but `session`, if it is
 * theirs, and revokes their API keys: the account may have changed hands. "taken": another account has
 * the email by now; only the holder of its mailbox learns that.
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
 * Takes a change of email back, ends all access to the account (its password too) and mails a link to
 * set a new one. Every open link ends, also those that undo an attack: an email that the attacker used
 * in between has one.
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
