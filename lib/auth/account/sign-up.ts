import { sql } from "drizzle-orm";
import { recordEach } from "@/lib/audit";
import { hashPassword, type PasswordFault, passwordFault } from "@/lib/auth/credentials/passwords";
import type { DeviceAccount } from "@/lib/auth/login/known-devices";
import { hashToken } from "@/lib/auth/secrets";
import { createSession } from "@/lib/auth/sessions/create";
import { findSignUp } from "@/lib/auth/sign-up-links";
import type { Db } from "@/lib/db/client";
import { passwords } from "@/lib/db/schema/passwords";
import { pendingSignUps } from "@/lib/db/schema/pending-sign-ups";
import { users } from "@/lib/db/schema/users";
import type { Client } from "@/lib/http";

/*
 * Owns the way from an email to a user. The security fact: name and password are chosen behind the
 * mailed link, so an attacker cannot plant a password on another user's email, and no account is
 * unverified.
 */

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
