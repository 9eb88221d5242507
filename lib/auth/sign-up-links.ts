import { and, eq, gt, type SQL, sql } from "drizzle-orm";
import type { Db } from "@/lib/db/client";
import { pendingSignUps } from "@/lib/db/schema/pending-sign-ups";
import { users } from "@/lib/db/schema/users";
import type { ProviderId } from "@/lib/provider-ids";
import { linkPolicy } from "./policy";
import { hashToken, isToken, newToken } from "./secrets";

/*
 * Owns the links that finish a sign-up. They belong to an email that has no user yet, so they have a
 * table of their own. The security fact: at most one link per email works, the newest, and only its
 * hash is stored. The statement that consumes one stands in account/sign-up.ts.
 */

/** The account at a provider that a sign-up began with. */
export type SignUpIdentity = {
  issuer: string;
  subject: string;
  provider: ProviderId;
  label: string;
  name: string;
  /** SHA-256 of the cookie of the browser that began it, in base64url. */
  browserHash: string;
};

/**
/**
 * A fresh link's token, for the mail that is being written, or null when the email has an account
 * already. Replaces an older link, with what that one carried.
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
  /** Only in the browser that began the sign-up: else an attacker's account could be in the link. */
  account?: { provider: ProviderId; label: string; name: string };
};

/**
 * What a link that still works would do in the browser with this cookie, or null. Changes nothing:
 * scanners open links too.
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

/** Whether the browser with this cookie began the sign-up of a row; null where it carries no account. */
export function isOfBrowser(browser: string | null): SQL {
  return sql`${pendingSignUps.browserHash} = ${browser ? hashToken(browser) : null}::bytea`;
}

/** Housekeeping: expired links are dead already. Returns how many rows went. */
export async function deleteExpiredSignUps(db: Db): Promise<number> {
  const [row] = await db.execute<{ n: number }>(sql`
    with gone as (delete from ${pendingSignUps} where expires_at < now() returning 1)
    select count(*)::int as n from gone`);
  return row?.n ?? 0;
}
