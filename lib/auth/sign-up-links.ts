import { and, eq, gt, sql } from "drizzle-orm";
import type { Db } from "@/lib/db/client";
import { pendingSignUps } from "@/lib/db/schema/pending-sign-ups";
import { users } from "@/lib/db/schema/users";
import { linkPolicy } from "./policy";
import { hashToken, isToken, newToken } from "./secrets";

/*
 * Owns the links that finish a sign-up. They belong to an email that has no user yet, so they have a
 * table of their own. The security fact: at most one link per email works, the newest, and only its
 * hash is stored. The statement that consumes one stands in account/sign-up.ts.
 */

/**
 * A fresh link's token, for the mail that is being written, or null when the email has an account
 * already. Replaces an older link.
 */
export async function createSignUp(db: Db, email: string): Promise<string | null> {
  const token = newToken();
  const rows = await db.execute(sql`
    insert into ${pendingSignUps} (email, token_hash, expires_at)
    select ${email}::text, ${hashToken(token)}, now() + ${linkPolicy.signUp / 1000} * interval '1 second'
    where not exists (select from ${users} where email = ${email})
    on conflict (email) do update set token_hash = excluded.token_hash,
      created_at = excluded.created_at, expires_at = excluded.expires_at
    returning email`);
  return rows.length === 1 ? token : null;
}

/** The email of a link that still works, or null. Changes nothing: scanners open links too. */
export async function findSignUp(db: Db, token: string): Promise<{ email: string } | null> {
  if (!isToken(token)) return null;
  const [row] = await db
    .select({ email: pendingSignUps.email })
    .from(pendingSignUps)
    .where(
      and(eq(pendingSignUps.tokenHash, hashToken(token)), gt(pendingSignUps.expiresAt, sql`now()`)),
    );
  return row ?? null;
}

/** Housekeeping: expired links are dead already. Returns how many rows went. */
export async function deleteExpiredSignUps(db: Db): Promise<number> {
  const [row] = await db.execute<{ n: number }>(sql`
    with gone as (delete from ${pendingSignUps} where expires_at < now() returning 1)
    select count(*)::int as n from gone`);
  return row?.n ?? 0;
}
