import { sql } from "drizzle-orm";
import { twoFactorPolicy } from "@/lib/auth/policy";
import { hashToken, isToken, newToken } from "@/lib/auth/secrets";
import type { Db } from "@/lib/db/client";
import { passwords } from "@/lib/db/schema/passwords";
import { pendingLogins } from "@/lib/db/schema/pending-logins";
import { users } from "@/lib/db/schema/users";
import { interval } from "@/lib/db/sql";

/*
 * Stores logins whose first factor is proved and whose second is missing. Security: no session
 * exists before the last factor; the row, never the request, names the user whose code is compared;
 * and a row becomes invalid when its user's `auth_version` changes, like a session. Lock order:
 * users, then pending logins.
 */

export type NewPendingLogin = {
  userId: string;
  authVersion: number;
  amr: string[];
  persistent: boolean;
  begunWith?: string | null;
  /** The token of the browser's previous pending login, which ends here. */
  presented: string | null;
};

/**
 * Inserts a pending login and returns its token. Returns null if `authVersion` has changed, the
 * user is suspended, or the password that was proved has been retired meanwhile.
 */
export async function createPendingLogin(tx: Db, login: NewPendingLogin): Promise<string | null> {
  const token = newToken();
  const presented = login.presented ? hashToken(login.presented) : null;
  const [user] = await tx.execute(sql`
    select id from ${users}
    where id = ${login.userId} and auth_version = ${login.authVersion} and status = 'active'
    for no key update`);
  if (!user) return null;
  const made = await tx.execute(sql`
    with presented as (delete from ${pendingLogins} where token_hash = ${presented}),
    evicted as (
      delete from ${pendingLogins} where token_hash in (
        select token_hash from ${pendingLogins}
        where user_id = ${login.userId} and (token_hash = ${presented}) is not true
        order by created_at desc offset ${twoFactorPolicy.pendingLoginsPerUser - 1}))
    insert into ${pendingLogins}
      (token_hash, user_id, auth_version, amr, persistent, begun_with, expires_at)
    select ${hashToken(token)}, ${login.userId}::uuid, ${login.authVersion}::int,
      ${sql.param(login.amr)}::text[], ${login.persistent}::boolean, ${login.begunWith ?? null}::uuid,
      now() + ${interval(twoFactorPolicy.pendingLogin)}
    where ${!login.amr.includes("pwd")}
      or exists (select from ${passwords} where ${passwords.userId} = ${login.userId})
    returning token_hash`);
  return made.length === 1 ? token : null;
}

/** A pending login that can still be finished. */
export type PendingLogin = { token: string; userId: string; email: string };

const isOpen = (token: string) => sql`${pendingLogins.tokenHash} = ${hashToken(token)}
  and ${pendingLogins.expiresAt} > now()
  and ${pendingLogins.authVersion} = ${users.authVersion} and ${users.status} = 'active'`;

export async function findPendingLogin(db: Db, token: string): Promise<PendingLogin | null> {
  if (!isToken(token)) return null;
  const [row] = await db.execute<{ user_id: string; email: string }>(sql`
    select ${users.id} as user_id, email from ${pendingLogins}
    join ${users} on ${users.id} = ${pendingLogins.userId}
    where ${isOpen(token)} and ${pendingLogins.attempts} < ${twoFactorPolicy.codesPerLogin}`);
  return row ? { token, userId: row.user_id, email: row.email } : null;
}

/**
 * Counts one try, and returns false if none was left. This is a statement of its own, committed
 * before a code is compared, so that of any number of concurrent tries only as many as the policy
 * allows get that far.
 */
export async function countPendingAttempt(db: Db, token: string): Promise<boolean> {
  const counted = await db.execute(sql`
    update ${pendingLogins} set attempts = attempts + 1
    where token_hash = ${hashToken(token)} and expires_at > now()
      and attempts < ${twoFactorPolicy.codesPerLogin}
    returning user_id`);
  return counted.length === 1;
}

/** Locks and returns the user of a pending login if it is still open, else returns null. */
export async function lockPendingUser(
  tx: Db,
  token: string,
): Promise<{ userId: string; authVersion: number; email: string; browserEpoch: number } | null> {
  const [row] = await tx.execute<{
    user_id: string;
    auth_version: number;
    email: string;
    device_epoch: number;
  }>(sql`
    select ${users.id} as user_id, ${users.authVersion} as auth_version, email, device_epoch
    from ${users} join ${pendingLogins} on ${pendingLogins.userId} = ${users.id}
    where ${isOpen(token)} for no key update of ${users}`);
  if (!row) return null;
  // Reads again, with a snapshot from after the lock: another request may have finished this login.
  const found = await tx.execute(sql`
    select from ${pendingLogins} where token_hash = ${hashToken(token)}`);
  return found.length === 0
    ? null
    : {
        userId: row.user_id,
        authVersion: row.auth_version,
        email: row.email,
        browserEpoch: row.device_epoch,
      };
}

/** Deletes the pending login and returns its row, once. Call it with the user locked. */
export async function consumePendingLogin(
  tx: Db,
  token: string,
): Promise<{ amr: string[]; persistent: boolean; begunWith: string | null } | null> {
  const [row] = await tx.execute<{
    amr: string[];
    persistent: boolean;
    begun_with: string | null;
  }>(sql`
    delete from ${pendingLogins} where token_hash = ${hashToken(token)} and expires_at > now()
    returning amr, persistent, begun_with`);
  return row ? { amr: row.amr, persistent: row.persistent, begunWith: row.begun_with } : null;
}

/** Housekeeping: expired rows are invalid already. */
export async function deleteExpiredPendingLogins(db: Db): Promise<void> {
  await db.delete(pendingLogins).where(sql`${pendingLogins.expiresAt} < now()`);
}
