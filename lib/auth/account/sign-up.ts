import { and, eq, gt, sql } from "drizzle-orm";
import type { Client } from "@/lib/audit";
import { recordEach } from "@/lib/audit";
import type { Db } from "@/lib/db/client";
import { passwords, pendingSignUps, users } from "@/lib/db/schema";
import type { DeviceAccount } from "./device-cookie";
import { hashPassword, type PasswordFault, passwordFault } from "./passwords";
import { linkPolicy } from "./policy";
import { hashToken, isToken, newToken } from "./secrets";
import { createSession } from "./sessions";

/*
 * Owns the way from an address to a user. The security fact: name and password are chosen behind
 * the mailed link, so nobody can plant a password on an address that is not theirs, and there is
 * no such thing as an unverified account. At most one link per address works: the newest.
 */

/**
 * A fresh link's token, for the mail that is being written, or null when the address has an account
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

/** The address behind a link that still works, or null. Changes nothing: scanners open links too. */
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

export type RedeemSignUp =
  | { ok: true; token: string; account: DeviceAccount }
  | { ok: false; reason: "dead-link" }
  | { ok: false; reason: "password"; fault: PasswordFault };

/**
 * Turns a link into a user who is logged in. At most once, however many try: the link is deleted by
 * the statement that inserts the user. A refused password leaves the link as it was.
 */
export async function redeemSignUp(
  db: Db,
  token: string,
  chosen: { name: string; password: string },
  visit: { presented: string | null; client: Client },
): Promise<RedeemSignUp> {
  const pending = await findSignUp(db, token);
  if (!pending) return { ok: false, reason: "dead-link" };
  const fault = await passwordFault(chosen.password, [pending.email, chosen.name]);
  if (fault) return { ok: false, reason: "password", fault };
  const hash = await hashPassword(chosen.password);

  return db.transaction(async (tx) => {
    const [user] = await tx.execute<Created>(sql`
      with link as (
        delete from ${pendingSignUps} where token_hash = ${hashToken(token)} and expires_at > now()
        returning email),
      created as (
        insert into ${users} (email, name) select email, ${chosen.name}::text from link
        on conflict (email) where email is not null do nothing
        returning id as user_id, null::uuid as session_id, auth_version, device_epoch),
      secured as (
        insert into ${passwords} (user_id, hash) select user_id, ${hash}::text from created),
      recorded as (${recordEach("created", "signed-up", visit.client)})
      select user_id, auth_version, device_epoch from created`);
    if (!user) return { ok: false, reason: "dead-link" };

    const session = await createSession(tx, {
      userId: user.user_id,
      authVersion: user.auth_version,
      amr: ["pwd"],
      persistent: true,
      ...visit,
    });
    if (!session)
      throw new Error("redeemSignUp: a user made in this transaction cannot be refused.");
    const account = { userId: user.user_id, deviceEpoch: user.device_epoch };
    return { ok: true, token: session.token, account };
  });
}

type Created = { user_id: string; auth_version: number; device_epoch: number };

/** Housekeeping: expired links are dead already. Returns how many rows went. */
export async function deleteExpiredSignUps(db: Db): Promise<number> {
  const [row] = await db.execute<{ n: number }>(sql`
    with gone as (delete from ${pendingSignUps} where expires_at < now() returning 1)
    select count(*)::int as n from gone`);
  return row?.n ?? 0;
}
