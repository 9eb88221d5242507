import { type Column, type SQL, sql } from "drizzle-orm";
import { sessionPolicy, sudoPolicy } from "@/lib/auth/policy";
import { sessions } from "@/lib/db/schema/sessions";
import { totpSecrets } from "@/lib/db/schema/totp-secrets";
import { users } from "@/lib/db/schema/users";
import { interval } from "@/lib/db/sql";

/*
 * Owns the predicates over a session's row: whether it counts, until when, what its last proof of
 * identity is still good for, and whether that proof was strong. The security fact: the database's clock judges them at every request,
 * with no cache. They join `sessions` and `users`. Change with it: lib/auth/policy.ts (the numbers).
 */

/**
 * What may be done without another proof: open a page that asks for one; only submit a form of such
 * a page; or neither.
 */
export type Sudo = "full" | "submit-only" | "expired";

export const idle = sql`case
  when ${sessions.kind} = 'app' then ${interval(sessionPolicy.app.idle)}
  when ${sessions.persistent} then ${interval(sessionPolicy.persistent.idle)}
  else ${interval(sessionPolicy.temporary.idle)} end`;

/** The live predicate: the only place that says when a session counts. Joins sessions and users. */
export const live: SQL = sql`${sessions.expiresAt} > now()
  and ${sessions.lastSeenAt} > now() - ${idle}
  and ${sessions.authVersion} = ${users.authVersion}
  and ${users.status} = 'active'`;

/** When a live session ends by itself, if it is not used until then. */
export const endsAt: SQL = sql`least(${sessions.expiresAt}, ${sessions.lastSeenAt} + ${idle})`;

/** Also ended by a rise of the role: new rights want a fresh proof. (`greatest` passes over nulls.) */
const confirmedWithin = (window: number): SQL =>
  sql`${sessions.authenticatedAt} > greatest(now() - ${interval(window)}, ${users.roleRaisedAt})`;

/** What the last proof of a session is still good for. Joins sessions and users. */
export const sudo = sql<Sudo>`case
  when ${confirmedWithin(sudoPolicy.open)} then 'full'
  when ${confirmedWithin(sudoPolicy.submit)} then 'submit-only'
  else 'expired' end`;

/** Ways of proof that hold where an attacker knows the password or reads the mailbox. */
const strongWays = ["otp", "recovery", "passkey"];

export function isStrong(amr: string[]): boolean {
  return amr.some((way) => strongWays.includes(way));
}

/** The same of a `text[]` in SQL. */
export const strongIn = (amr: SQL | Column): SQL<boolean> =>
  sql<boolean>`(${amr} && ${sql.raw(`'{${strongWays}}'::text[]`)})`;

/**
 * Whether the last proof was strong. Not any earlier one: else a password would renew what a code
 * proved weeks ago.
 */
export const strong = strongIn(sessions.lastProof);

/** Whether two-factor is on: an authenticator app is confirmed. Then a password alone makes no session. */
export const hasTwoFactor = (userId: SQL | Column): SQL<boolean> =>
  sql<boolean>`exists (select from ${totpSecrets}
    where ${totpSecrets.userId} = ${userId} and ${totpSecrets.confirmedAt} is not null)`;

/** The `set` of an update of a session whose user has just proved who they are, in these ways. */
export function proved(amr: string[]): SQL {
  const ways = sql`${sql.param(amr)}::text[]`;
  return sql`authenticated_at = now(), last_seen_at = now(), last_proof = ${ways},
    amr = ${sessions.amr} || array(
      select way from unnest(${ways}) as way where way <> all(${sessions.amr}))`;
}

export const touchDue = sql<boolean>`${sessions.lastSeenAt} < now() - ${interval(sessionPolicy.touchInterval)}`;
