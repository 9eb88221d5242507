import { and, eq, gt, sql } from "drizzle-orm";
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
  endedTeamAccess,
  endedTwoFactor,
  nextAuthVersion,
  nextBrowserEpoch,
  retiredPassword,
  revokedApiKeyCount,
  revokedApiKeys,
} from "@/lib/auth/revocation";
import type { Db } from "@/lib/db/client";
import { isUniqueViolation } from "@/lib/db/errors";
import { links } from "@/lib/db/schema/links";
import { users } from "@/lib/db/schema/users";
import type { Client } from "@/lib/http";

/*
 * Handles the button "This was not me" in mails about a new device or a changed way to log in.
 * Security: the attacker may have any way in, so the button leaves none. It ends all sessions,
 * apps, API keys, open links and known browsers, the password, and any two-factor, passkey or
 * connected account added since the reported event. It needs no login, because its user may be
 * locked out, and it only takes access away.
 */

export type RedeemDisownLink =
  | {
      ok: true;
      account: BrowserAccount /** Whether a link to set a new password was mailed. */;
      mailed: boolean;
    }
  | { ok: false; reason: "dead-link" };

/**
 * Ends all access to the user's account, and mails a link to set a new password. If the email was
 * changed since, and this mailbox can still revert that, the email is reverted: otherwise an
 * attacker with the new mailbox could have a reset link mailed there. If the email cannot be
 * reverted, no link is mailed. Works once per link.
 */
export async function redeemDisownLink(
  db: Db,
  token: string,
  client: Client,
): Promise<RedeemDisownLink> {
  try {
    return await redeem(db, token, client, { restoreEmail: true });
  } catch (error) {
    // Another account now has the old email. Everything else must still end.
    if (isUniqueViolation(error)) return redeem(db, token, client, { restoreEmail: false });
    throw error;
  }
}

function redeem(
  db: Db,
  token: string,
  client: Client,
  { restoreEmail }: { restoreEmail: boolean },
): Promise<RedeemDisownLink> {
  return db.transaction(async (tx) => {
    const user = await lockLinkUser(tx, token);
    if (!user) return { ok: false, reason: "dead-link" };
    const restored = restoreEmail && (await canRestoreEmail(tx, user));
    const email = restored ? user.sentTo : user.email;

    const [changed] = await tx.execute<{ user_id: string; device_epoch: number }>(sql`
      with ${usedLink(token, "not-me")},
      changed as (
        update ${users} set ${nextAuthVersion}, ${nextBrowserEpoch}, email = ${email} from link
        where ${users.id} = link.user_id and ${users.status} = 'active'
        returning ${users.id} as user_id, null::uuid as session_id, device_epoch),
      ${endedSessions},
      ${restored ? endedAllLinks : endedLinks},
      ${revokedApiKeys},
      ${retiredPassword},
      ${endedTwoFactor},
      ${endedPasskeys},
      ${endedIdentities},
      ${endedTeamAccess},
      ${restored ? sql`restored as (${recordEach("changed", "email-restored", client)}),` : sql``}
      recorded as (${recordEach("changed", "login-disowned", client, revokedApiKeyCount)})
      select user_id, device_epoch from changed`);
    if (!changed) return { ok: false, reason: "dead-link" };
    const mailed = email === user.sentTo;
    if (mailed) await addMail(tx, "password-reset", { to: email });
    const account = { userId: changed.user_id, browserEpoch: changed.device_epoch };
    return { ok: true, account, mailed };
  });
}

/** Returns whether the mailbox of this link also has an open link that restores the email. */
async function canRestoreEmail(
  tx: Db,
  { userId, email, sentTo }: { userId: string; email: string; sentTo: string },
): Promise<boolean> {
  if (email === sentTo) return false;
  const rows = await tx
    .select({ userId: links.userId })
    .from(links)
    .where(
      and(
        eq(links.userId, userId),
        eq(links.purpose, "email-restore"),
        eq(links.sentTo, sentTo),
        gt(links.expiresAt, sql`now()`),
      ),
    );
  return rows.length > 0;
}
