import { and, eq, sql } from "drizzle-orm";
import { type AuditKind, type Client, recordEach } from "@/lib/audit";
import type { Db } from "@/lib/db/client";
import { links, sessions, users } from "@/lib/db/schema";
import { addJob } from "@/lib/jobs";
import { endedLinks, lockLinkUser, usedLink } from "./links";
import type { Session } from "./sessions";

/*
 * Owns a user's address. The security fact: it changes only by a link that was sent to the new one,
 * and the old one gets a link that takes the change back, for a week, whatever happens meanwhile.
 */

/**
 * Mails a link to the new address. The mail is not written, and its link not made, when the account
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
    await addJob(tx, "mail", {
      mail: "email-change",
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
 * Makes the address that the link was sent to the user's. Ends all their sessions but `session`, if
 * it is theirs. "taken": another account has the address by now; told only to who has its mailbox.
 */
export async function redeemEmailChange(
  db: Db,
  token: string,
  visit: { session: Session | null; client: Client },
): Promise<RedeemEmailChange> {
  return unlessTaken(db, async (tx) => {
    const before = await lockLinkUser(tx, token);
    if (!before) return { ok: false, reason: "dead-link" };
    const changed = await apply(tx, token, {
      purpose: "email-change",
      recordAs: "email-changed",
      keep: visit.session?.id ?? null,
      client: visit.client,
    });
    if (!changed) return { ok: false, reason: "dead-link" };
    await addJob(tx, "mail", {
      mail: "email-changed",
      userId: before.userId,
      to: before.email,
      event: changed.event,
      client: visit.client,
      at: new Date().toISOString(),
    });
    return { ok: true, kept: changed.kept };
  });
}

/** Takes a change of address back. Ends every session: the one that made the change is among them. */
export async function redeemEmailRestore(
  db: Db,
  token: string,
  client: Client,
): Promise<RedeemEmailChange> {
  return unlessTaken(db, async (tx) => {
    if (!(await lockLinkUser(tx, token))) return { ok: false, reason: "dead-link" };
    const changed = await apply(tx, token, {
      purpose: "email-restore",
      recordAs: "email-restored",
      keep: null,
      client,
    });
    if (!changed) return { ok: false, reason: "dead-link" };
    // Also the other links that undo: an attacker's stop in between has one for its mailbox.
    await tx.delete(links).where(eq(links.userId, changed.userId));
    // Whoever changed the address may know the password.
    await addJob(tx, "mail", { mail: "password-reset", to: changed.email });
    return { ok: true, kept: false };
  });
}

async function apply(
  tx: Db,
  token: string,
  change: {
    purpose: "email-change" | "email-restore";
    recordAs: AuditKind;
    keep: string | null;
    client: Client;
  },
): Promise<{ userId: string; email: string; kept: boolean; event: number } | null> {
  const [changed] = await tx.execute<{
    user_id: string;
    email: string;
    kept: boolean;
    event: number;
  }>(sql`
    with ${usedLink(token, change.purpose)},
    changed as (
      update ${users} set email = link.sent_to, auth_version = auth_version + 1 from link
      where ${users.id} = link.user_id and ${users.status} = 'active'
      returning ${users.id} as user_id, null::uuid as session_id, ${users.authVersion} as auth_version,
        ${users.email} as email),
    kept as (
      update ${sessions} set auth_version = changed.auth_version from changed
      where ${sessions.id} = ${change.keep}::uuid and ${sessions.userId} = changed.user_id
        and ${sessions.authVersion} = changed.auth_version - 1
      returning ${sessions.id}),
    ended as (
      delete from ${sessions} using changed where ${sessions.userId} = changed.user_id
        and ${sessions.id} is distinct from ${change.keep}::uuid),
    ${endedLinks},
    recorded as (${recordEach("changed", change.recordAs, change.client)} returning id)
    select user_id, email, exists (select from kept) as kept, (select id::int from recorded) as event
    from changed`);
  return changed
    ? { userId: changed.user_id, email: changed.email, kept: changed.kept, event: changed.event }
    : null;
}

/** Lets the unique address decide who was first; whoever was not keeps the link. */
async function unlessTaken(
  db: Db,
  work: (tx: Db) => Promise<RedeemEmailChange>,
): Promise<RedeemEmailChange> {
  try {
    return await db.transaction(work);
  } catch (error) {
    if (isUniqueViolation(error)) return { ok: false, reason: "taken" };
    throw error;
  }
}

/** Drizzle wraps the driver's error, which carries Postgres' code. */
function isUniqueViolation(error: unknown): boolean {
  const cause = error instanceof Error ? (error.cause ?? error) : undefined;
  return typeof cause === "object" && cause !== null && "code" in cause && cause.code === "23505";
}
