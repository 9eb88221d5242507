import { type Column, type SQL, sql } from "drizzle-orm";
import { sessionPolicy, sudoPolicy } from "@/lib/auth/policy";
import { sessions } from "@/lib/db/schema/sessions";
import { totpSecrets } from "@/lib/db/schema/totp-secrets";
import { users } from "@/lib/db/schema/users";
import { interval } from "@/lib/db/sql";

/*
 * Defines the predicates over a session's row: whether it counts, until when, how recently the user
 * proved their identity and which actions that still allows, and whether that proof was strong.
 * Security: the database's clock decides, at every request, with no cache. The predicates require
 * `sessions` joined with `users`. Change with it: lib/auth/policy.ts (the numbers).
 */

/**
 * What the user may do without another proof of identity. "full": open a page that requires one.
 * "submit-only": only submit a form of such a page. "expired": neither.
 */
export type Sudo = "full" | "submit-only" | "expired";

export const idle = sql`case
  when ${sessions.kind} = 'app' then ${interval(sessionPolicy.app.idle)}
  when ${sessions.persistent} then ${interval(sessionPolicy.persistent.idle)}
  else ${interval(sessionPolicy.temporary.idle)} end`;

/** The live predicate: the only definition of when a session counts. Joins sessions and users. */
export const live: SQL = sql`${sessions.expiresAt} > now()
  and ${sessions.lastSeenAt} > now() - ${idle}
  and ${sessions.authVersion} = ${users.authVersion}
  and ${users.status} = 'active'`;

/** When a live session ends if it is not used again. */
export const endsAt: SQL = sql`least(${sessions.expiresAt}, ${sessions.lastSeenAt} + ${idle})`;

/**
 * Whether the user proved their identity within `window`, and after their role was last raised: new
 * rights require a fresh proof. (`greatest` ignores nulls.)
 */
const confirmedWithin = (window: number): SQL =>
  sql`${sessions.authenticatedAt} > greatest(now() - ${interval(window)}, ${users.roleRaisedAt})`;

/**
 * How recently the user proved their identity, and which actions that still allows. Requires
 * sessions joined with users.
 */
export const sudo = sql<Sudo>`case
  when ${confirmedWithin(sudoPolicy.open)} then 'full'
  when ${confirmedWithin(sudoPolicy.submit)} then 'submit-only'
  else 'expired' end`;

/** Proofs that protect the account even if an attacker knows the password or reads the mailbox. */
const strongWays = ["otp", "recovery", "passkey"];

export function isStrong(amr: string[]): boolean {
  return amr.some((way) => strongWays.includes(way));
}

/** `isStrong` in SQL, for a `text[]`. */
export const strongIn = (amr: SQL | Column): SQL<boolean> =>
  sql<boolean>`(${amr} && ${sql.raw(`'{${strongWays}}'::text[]`)})`;

/**
 * Whether the last proof was strong. Earlier proofs do not count: otherwise a password would renew
 * what a code proved weeks ago.
 */
export const strong = strongIn(sessions.lastProof);

/**
 * Whether two-factor is on, that is, an authenticator app is confirmed. A password alone then
 * creates no session.
 */
export const hasTwoFactor = (userId: SQL | Column): SQL<boolean> =>
  sql<boolean>`exists (select from ${totpSecrets}
    where ${totpSecrets.userId} = ${userId} and ${totpSecrets.confirmedAt} is not null)`;

/** Returns the `set` clause for a session whose user just proved their identity in these ways. */
export function proved(amr: string[]): SQL {
  const ways = sql`${sql.param(amr)}::text[]`;
  return sql`authenticated_at = now(), last_seen_at = now(), last_proof = ${ways},
    amr = ${sessions.amr} || array(
      select way from unnest(${ways}) as way where way <> all(${sessions.amr}))`;
}

export const touchDue = sql<boolean>`${sessions.lastSeenAt} < now() - ${interval(sessionPolicy.touchInterval)}`;
