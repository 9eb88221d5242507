import { and, eq, gt, type SQL, sql } from "drizzle-orm";
import type { Db } from "@/lib/db/client";
import { pendingSignUps } from "@/lib/db/schema/pending-sign-ups";
import { users } from "@/lib/db/schema/users";
import type { ProviderId } from "@/lib/provider-ids";
import { linkPolicy } from "./policy";
import { hashToken, isToken, newToken } from "./secrets";

/*
 * Creates and finds the links that finish a sign-up. They belong to an email that has no user yet,
 * so they have a table of their own. Security: for each email only the newest link works, and only
 * its hash is stored. The statement that consumes a link is in account/sign-up.ts.
 */

/** The account at a provider that a sign-up began with. */
export type SignUpIdentity = {
  issuer: string;
  subject: string;
  provider: ProviderId;
  label: string;
  name: string;
  /** SHA-256 of the cookie of the browser that began the sign-up, in base64url. */
  browserHash: string;
};

/**
 * Inserts a link and returns its token, for the mail that is being written. Returns null if the
 * email already has an account. Replaces an older link, together with the account that it carried.
 */
export async function createSignUp(
  db: Db,
  email: string,
  identity?: SignUpIdentity,
): Promise<string | null> {
  const token = newToken();
  const browserHash = identity ? Buffer.from(identity.browserHash, "base64url") : null;
  const rows = await db.execute(sql`
    insert into ${pendingSignUps} (email, token_hash, expires_at,
      issuer, subject, provider, label, name, browser_hash)
    select ${email}::text, ${hashToken(token)}, now() + ${linkPolicy.signUp / 1000} * interval '1 second',
      ${identity?.issuer ?? null}::text, ${identity?.subject ?? null}::text,
      ${identity?.provider ?? null}::text, ${identity?.label ?? null}::text,
      ${identity?.name ?? null}::text, ${browserHash}::bytea
    where not exists (select from ${users} where email = ${email})
    on conflict (email) do update set token_hash = excluded.token_hash,
      created_at = excluded.created_at, expires_at = excluded.expires_at,
      issuer = excluded.issuer, subject = excluded.subject, provider = excluded.provider,
      label = excluded.label, name = excluded.name, browser_hash = excluded.browser_hash
    returning email`);
  return rows.length === 1 ? token : null;
}

export type PendingSignUp = {
  email: string;
  /** Set only in the browser that began the sign-up: elsewhere it may be an attacker's account. */
  account?: { provider: ProviderId; label: string; name: string };
};

/**
 * Returns the sign-up of a link that still works, as the browser with this cookie may see it, or
 * null. Changes nothing: mail scanners open links too.
 */
export async function findSignUp(
  db: Db,
  token: string,
  browser: string | null = null,
): Promise<PendingSignUp | null> {
  if (!isToken(token)) return null;
  const [row] = await db
    .select({
      email: pendingSignUps.email,
      account: {
        provider: pendingSignUps.provider,
        label: pendingSignUps.label,
        name: pendingSignUps.name,
      },
      own: sql<boolean>`${isOfBrowser(browser)} is true`,
    })
    .from(pendingSignUps)
    .where(
      and(eq(pendingSignUps.tokenHash, hashToken(token)), gt(pendingSignUps.expiresAt, sql`now()`)),
    );
  if (!row) return null;
  const { provider, label, name } = row.account;
  const carries = row.own && provider && label && name;
  return { email: row.email, account: carries ? { provider, label, name } : undefined };
}

/** Whether the browser with this cookie began the sign-up; null if the row carries no account. */
export function isOfBrowser(browser: string | null): SQL {
  return sql`${pendingSignUps.browserHash} = ${browser ? hashToken(browser) : null}::bytea`;
}

/** Housekeeping: deletes expired links, which no longer work, and returns how many. */
export async function deleteExpiredSignUps(db: Db): Promise<number> {
  const [row] = await db.execute<{ n: number }>(sql`
    with gone as (delete from ${pendingSignUps} where expires_at < now() returning 1)
    select count(*)::int as n from gone`);
  return row?.n ?? 0;
}
