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
 * Owns the button "This was not me" of the mails about a new device and a new way to log in. The security
 * fact: the attacker may have any way in, so the button leaves none: no session, app, API key, open link
 * or known browser, no password, and no two-factor, passkey or connected account of since then. It needs
 * no login, because its user may be locked out, and it only takes access away.
 */

export type RedeemDisownLink =
  | {
      ok: true;
      account: BrowserAccount /** A link to set a password is on its way. */;
      mailed: boolean;
    }
  | { ok: false; reason: "dead-link" };

/**
 * Ends all access to the user's account, and mails a link to set a new password. Where the email was
 * changed since, and this mailbox can still take it back, it takes it back: an attacker with the new
 * mailbox could otherwise have a reset link mailed there. Where it cannot, no link is mailed. At most
 * once per link.
 */
export async function redeemDisownLink(
  db: Db,
  token: string,
  client: Client,
): Promise<RedeemDisownLink> {
  try {
    return await redeem(db, token, client, { restoreEmail: true });
  } catch (error) {
    // Another account has the old email by now. All the rest still has to end.
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

/** Whether the mailbox of this link also has a link, still open, that takes the email back. */
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
