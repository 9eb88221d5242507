import { type SQL, sql } from "drizzle-orm";
import { recordEach } from "@/lib/audit";
import { passkeyRow, spendChallenge } from "@/lib/auth/credentials/passkeys";
import { hashPassword, type PasswordFault, passwordFault } from "@/lib/auth/credentials/passwords";
import {
  type Asked,
  handleOfSignUp,
  type PasskeySite,
  readRegistration,
} from "@/lib/auth/credentials/webauthn";
import type { DeviceAccount } from "@/lib/auth/login/known-devices";
import { hashToken } from "@/lib/auth/secrets";
import { createSession } from "@/lib/auth/sessions/create";
import { findSignUp } from "@/lib/auth/sign-up-links";
import type { Db } from "@/lib/db/client";
import { isUniqueViolation } from "@/lib/db/errors";
import { passkeys } from "@/lib/db/schema/passkeys";
import { passwords } from "@/lib/db/schema/passwords";
import { pendingSignUps } from "@/lib/db/schema/pending-sign-ups";
import { users } from "@/lib/db/schema/users";
import type { Client } from "@/lib/http";

/*
 * Owns the way from an email to a user. The security fact: name and password, or passkey, are chosen behind
 * the mailed link, so an attacker cannot plant one on another user's email, and no account is unverified.
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
  visit: Visit,
): Promise<RedeemSignUp> {
  const pending = await findSignUp(db, token);
  if (!pending) return { ok: false, reason: "dead-link" };
  const fault = await passwordFault(chosen.password, [pending.email, chosen.name]);
  if (fault) return { ok: false, reason: "password", fault };
  const hash = await hashPassword(chosen.password);

  return db.transaction(async (tx) => {
    const secured = sql`secured as (
      insert into ${passwords} (user_id, hash) select user_id, ${hash}::text from created),`;
    const user = await insertUser(tx, token, { name: chosen.name, secured }, visit.client);
    return user ? logIn(tx, user, { amr: ["pwd"] }, visit) : { ok: false, reason: "dead-link" };
  });
}

/** What the challenge of a sign-up with a passkey is for. */
export function signingUpWithPasskey(token: string): Asked {
  return { purpose: "sign-up", context: token };
}

export type RedeemSignUpWithPasskey =
  | { ok: true; token: string; account: DeviceAccount }
  | { ok: false; reason: "dead-link" | "incorrect" | "expired" | "taken" };

/** The same with a passkey in place of the password. "taken": another account has this passkey. */
export async function redeemSignUpWithPasskey(
  db: Db,
  token: string,
  chosen: { name: string; answer: string; site: PasskeySite },
  visit: Visit,
): Promise<RedeemSignUpWithPasskey> {
  if (!(await findSignUp(db, token))) return { ok: false, reason: "dead-link" };
  const { name, answer, site } = chosen;
  const read = await readRegistration(site, answer, signingUpWithPasskey(token));
  if (!read.ok) return read;
  try {
    return await db.transaction(async (tx) => {
      if (!(await spendChallenge(tx, read.challenge))) return { ok: false, reason: "incorrect" };
      const handle = handleOfSignUp(site.secret, token);
      const user = await insertUser(tx, token, { name, handle }, visit.client);
      if (!user) return { ok: false, reason: "dead-link" };
      // No `on conflict`: where another account has the passkey, the link stays, and there is no user.
      const [passkey] = await tx
        .insert(passkeys)
        .values(passkeyRow(user.user_id, read.passkey, site.rpId))
        .returning({ id: passkeys.id });
      return logIn(tx, user, { amr: ["passkey"], begunWith: passkey?.id }, visit);
    });
  } catch (error) {
    if (isUniqueViolation(error)) return { ok: false, reason: "taken" };
    throw error;
  }
}

type Visit = { presented: string | null; client: Client };

/** Uses the link up. `secured` is a CTE that gives `created` a password. */
async function insertUser(
  tx: Db,
  token: string,
  { name, handle, secured = sql`` }: { name: string; handle?: Buffer; secured?: SQL },
  client: Client,
): Promise<Created | undefined> {
  const [user] = await tx.execute<Created>(sql`
    with link as (
      delete from ${pendingSignUps} where token_hash = ${hashToken(token)} and expires_at > now()
      returning email),
    created as (
      insert into ${users} (email, name ${handle ? sql`, passkey_handle` : sql``})
      select email, ${name}::text ${handle ? sql`, ${handle}::bytea` : sql``} from link
      on conflict (email) where email is not null do nothing
      returning id as user_id, null::uuid as session_id, auth_version, device_epoch),
    ${secured}
    recorded as (${recordEach("created", "signed-up", client)})
    select user_id, auth_version, device_epoch from created`);
  return user;
}

async function logIn(
  tx: Db,
  user: Created,
  proof: { amr: string[]; begunWith?: string },
  visit: Visit,
): Promise<{ ok: true; token: string; account: DeviceAccount }> {
  const { user_id: userId, auth_version: authVersion, device_epoch: deviceEpoch } = user;
  const session = await createSession(tx, {
    ...{ userId, authVersion, persistent: true },
    ...proof,
    ...visit,
  });
  if (!session) throw new Error("redeemSignUp: a user made in this transaction cannot be refused.");
  return { ok: true, token: session.token, account: { userId, deviceEpoch } };
}

type Created = { user_id: string; auth_version: number; device_epoch: number };
