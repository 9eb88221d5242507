import { type SQL, sql } from "drizzle-orm";
import { type AuditKind, type Client, recordEach } from "@/lib/audit";
import type { Db } from "@/lib/db/client";
import { links, sessions, users } from "@/lib/db/schema";
import { addJob } from "@/lib/jobs";
import { endedLinks, usedLink } from "./links";
import { hashToken } from "./secrets";
import type { Session } from "./sessions";

/*
 * Owns a user's address. The security fact: it changes only by a link that was sent to the new one,
 * and the old one gets a link that takes the change back, for a week, whatever happens meanwhile.
 */

export type RedeemEmailChange = { ok: true } | { ok: false; reason: "dead-link" | "taken" };

/**
 * Makes the address that the link was sent to the user's. Ends all their sessions but `session`, if
 * it is theirs. "taken": another account has the address by now; told only to who has its mailbox.
 */
export async function redeemEmailChange(
  db: Db,
  token: string,
  visit: { session: Session | null; client: Client },
): Promise<RedeemEmailChange> {
  return redeem(db, async (tx) => {
    const [before] = await tx.execute<{ user_id: string; email: string }>(sql`
      select ${users.id} as user_id, ${users.email} as email
      from ${users} join ${links} on ${links.userId} = ${users.id}
      where ${links.tokenHash} = ${hashToken(token)} for no key update of ${users}`);
    const kept = sql`update ${sessions} set auth_version = changed.auth_version from changed
      where ${sessions.id} = ${visit.session?.id ?? null}::uuid
        and ${sessions.userId} = changed.user_id returning ${sessions.id}`;
    const changed = await apply(tx, token, "email-change", "email-changed", visit.client, kept);
    if (!before || !changed) return { ok: false, reason: "dead-link" };
    await addJob(tx, "mail", {
      mail: "email-changed",
      userId: before.user_id,
      to: before.email,
      client: visit.client,
      at: new Date().toISOString(),
    });
    return { ok: true };
  });
}

/** Takes a change of address back. Ends every session: the one that made the change is among them. */
export async function redeemEmailRestore(
  db: Db,
  token: string,
  client: Client,
): Promise<RedeemEmailChange> {
  return redeem(db, async (tx) => {
    const none = sql`select null::uuid as id where false`;
    const userId = await apply(tx, token, "email-restore", "email-restored", client, none);
    if (!userId) return { ok: false, reason: "dead-link" };
    await tx.execute(sql`delete from ${links} where user_id = ${userId}`);
    return { ok: true };
  });
}

async function apply(
  tx: Db,
  token: string,
  purpose: "email-change" | "email-restore",
  kind: AuditKind,
  client: Client,
  kept: SQL,
): Promise<string | null> {
  const [changed] = await tx.execute<{ user_id: string }>(sql`
    with ${usedLink(token, purpose)},
    changed as (
      update ${users} set email = link.sent_to, auth_version = auth_version + 1 from link
      where ${users.id} = link.user_id and ${users.status} = 'active'
      returning ${users.id} as user_id, null::uuid as session_id, ${users.authVersion} as auth_version),
    kept as (${kept}),
    ended as (
      delete from ${sessions} using changed where ${sessions.userId} = changed.user_id
        and ${sessions.id} not in (select id from kept)),
    ${endedLinks},
    recorded as (${recordEach("changed", kind, client)})
    select user_id from changed`);
  return changed?.user_id ?? null;
}

/** Lets the unique address decide who was first, and keeps the link of whoever was not. */
async function redeem(
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
