import { type SQL, sql } from "drizzle-orm";
import { sessionPolicy, sudoPolicy } from "@/lib/auth/policy";
import { sessions } from "@/lib/db/schema/sessions";
import { users } from "@/lib/db/schema/users";
import { interval } from "@/lib/db/sql";

/*
 * Owns the predicates over a session's row: whether it counts, until when, and what its last proof of
 * identity is still good for. The security fact: the database's clock judges them at every request,
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

export const touchDue = sql<boolean>`${sessions.lastSeenAt} < now() - ${interval(sessionPolicy.touchInterval)}`;
