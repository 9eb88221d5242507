import { and, eq, gt, type SQL, sql } from "drizzle-orm";
import type { Db } from "@/lib/db/client";
import { auditEvents } from "@/lib/db/schema/audit-events";
import { links } from "@/lib/db/schema/links";
import { users } from "@/lib/db/schema/users";
import { linkPolicy } from "./policy";
import { hashToken, isToken, newToken } from "./secrets";

/*
 * Creates and finds the links that are mailed to users. Security: opening a link changes nothing
 * (mail scanners open links), and using one is a DELETE … RETURNING inside the statement that makes
 * the change, so that of any number of simultaneous uses only one succeeds. Those statements are in
 * the files of the changes: account/password-change.ts, account/email-change.ts,
 * account/disowned-login.ts, login/browser-confirmations.ts. Lock order: users, sessions, links.
 */

export type LinkPurpose = typeof links.$inferSelect.purpose;

const lifetime: Record<LinkPurpose, number> = {
  "password-reset": linkPolicy.passwordReset,
  "confirm-browser": linkPolicy.confirmBrowser,
  "email-change": linkPolicy.emailChange,
  "email-restore": linkPolicy.emailRestore,
  "not-me": linkPolicy.notMe,
};

/**
 * Inserts a link and returns its token, for the mail that is being written. Replaces an older link
 * of the same purpose, except for "email-restore" and "not-me".
 */
export async function createLink(
  db: Db,
  link: {
    userId: string;
    purpose: LinkPurpose;
    sentTo: string;
    /** The id of the audit event that the link undoes; later changes may be the attacker's. */
    event?: number;
  },
): Promise<string> {
  const token = newToken();
  await db.execute(sql`
    insert into ${links} (token_hash, user_id, purpose, sent_to, since, expires_at)
    values (${hashToken(token)}, ${link.userId}, ${link.purpose}, ${link.sentTo},
      (select at from ${auditEvents} where id = ${link.event ?? null}::bigint), now() + ${lifetime[link.purpose] / 1000} * interval '1 second')
    on conflict (user_id, purpose)
      where purpose in ('password-reset', 'confirm-browser', 'email-change')
    do update set token_hash = excluded.token_hash, sent_to = excluded.sent_to,
      created_at = excluded.created_at, expires_at = excluded.expires_at`);
  return token;
}

/**
 * Returns the user and the email of a link that still works, or null, to show before the link is
 * used. Changes nothing.
 */
export async function findLink(
  db: Db,
  token: string,
  purpose: LinkPurpose,
): Promise<{ userId: string; sentTo: string; email: string; name: string } | null> {
  if (!isToken(token)) return null;
  const [row] = await db
    .select({ userId: links.userId, sentTo: links.sentTo, email: users.email, name: users.name })
    .from(links)
    .innerJoin(users, eq(users.id, links.userId))
    .where(
      and(
        eq(links.tokenHash, hashToken(token)),
        eq(links.purpose, purpose),
        gt(links.expiresAt, sql`now()`),
        eq(users.status, "active"),
        purpose === "password-reset" || purpose === "confirm-browser"
          ? eq(links.sentTo, users.email)
          : undefined,
      ),
    );
  return row ?? null;
}

/**
 * Locks and returns the user of a link, before a transaction uses the link: each change of an
 * account locks the user first, so that no two changes deadlock. Returns null for a suspended user,
 * whose links stay unused. Does not check whether the link still works; `usedLink` does.
 */
export async function lockLinkUser(
  tx: Db,
  token: string,
): Promise<{ userId: string; email: string; sentTo: string } | null> {
  const [user] = await tx
    .select({ userId: users.id, email: users.email, sentTo: links.sentTo })
    .from(users)
    .innerJoin(links, eq(links.userId, users.id))
    .where(and(eq(links.tokenHash, hashToken(token)), eq(users.status, "active")))
    .for("no key update", { of: users });
  return user ?? null;
}

/** Returns the CTE `link`, the start of every statement that uses a link: empty unless it works. */
export function usedLink(token: string, purpose: LinkPurpose): SQL {
  return sql`link as (
    delete from ${links} where token_hash = ${hashToken(token)} and purpose = ${purpose}
      and expires_at > now()
    returning user_id, sent_to, coalesce(since, created_at) as since)`;
}

/** Housekeeping: deletes expired links, which no longer work anyway. */
export async function deleteExpiredLinks(db: Db): Promise<void> {
  await db.delete(links).where(sql`${links.expiresAt} < now()`);
}
