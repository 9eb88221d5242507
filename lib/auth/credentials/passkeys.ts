import { and, asc, count, eq, sql } from "drizzle-orm";
import { passkeyPolicy } from "@/lib/auth/policy";
import type { Db } from "@/lib/db/client";
import { passkeys } from "@/lib/db/schema/passkeys";
import { spentChallenges } from "@/lib/db/schema/spent-challenges";
import { users } from "@/lib/db/schema/users";
import { interval } from "@/lib/db/sql";
import { providerName } from "./passkey-providers";
import { type Asked, type NewPasskey, type PasskeySite, readAssertion } from "./webauthn";

/*
 * Reads and writes the rows of passkeys, and checks their answers. Security: an answer must name
 * the handle of the user whose passkey it is; its challenge counts once, in the transaction that it
 * authorizes; and a counter that does not rise, which a copy of the authenticator causes, is
 * refused by the statement that writes it. Call functions that change rows with the user locked.
 */

/** A passkey as its owner sees it. */
export type Passkey = {
  id: string;
  name: string;
  /** The product that stores the passkey, as the authenticator claims; undefined if unknown. */
  provider: string | undefined;
  backedUp: boolean;
  /** The domain that the passkey works for. */
  rpId: string;
  createdAt: Date;
  lastUsedAt: Date | null;
  /** In base64url, for the browser. */
  credentialId: string;
  transports: string[];
};

/** Returns the user's passkeys, oldest first. */
export async function listPasskeys(db: Db, { userId }: { userId: string }): Promise<Passkey[]> {
  const rows = await db
    .select()
    .from(passkeys)
    .where(eq(passkeys.userId, userId))
    .orderBy(asc(passkeys.createdAt), asc(passkeys.id));
  return rows.map((row) => ({
    ...{ id: row.id, name: row.name, provider: providerName(row.aaguid) },
    ...{ backedUp: row.backedUp, rpId: row.rpId },
    ...{ createdAt: row.createdAt, lastUsedAt: row.lastUsedAt },
    ...{ credentialId: row.credentialId.toString("base64url"), transports: row.transports },
  }));
}

/** Returns the handle by which passkeys identify the user, in base64url. */
export async function findHandle(db: Db, userId: string): Promise<string> {
  const [row] = await db
    .select({ handle: users.passkeyHandle })
    .from(users)
    .where(eq(users.id, userId));
  return (row?.handle ?? Buffer.alloc(0)).toString("base64url");
}

/**
 * Inserts a passkey and returns its id and name. "taken": an account already has it, this one or
 * another. "too-many": the user has reached the cap.
 */
export async function insertPasskey(
  tx: Db,
  userId: string,
  passkey: NewPasskey,
  rpId: string,
): Promise<{ id: string; name: string } | "taken" | "too-many"> {
  const [{ n } = { n: 0 }] = await tx
    .select({ n: count() })
    .from(passkeys)
    .where(eq(passkeys.userId, userId));
  if (n >= passkeyPolicy.passkeysPerUser) return "too-many";
  const [inserted] = await tx
    .insert(passkeys)
    .values(passkeyRow(userId, passkey, rpId))
    .onConflictDoNothing()
    .returning({ id: passkeys.id, name: passkeys.name });
  return inserted ?? "taken";
}

export function passkeyRow(userId: string, passkey: NewPasskey, rpId: string) {
  return { ...passkey, userId, rpId, name: providerName(passkey.aaguid) ?? "Passkey" };
}

/** Renames a passkey. Returns false if the user has none with this id. */
export async function renamePasskey(
  db: Db,
  { userId }: { userId: string },
  id: string,
  name: string,
): Promise<boolean> {
  const renamed = await db
    .update(passkeys)
    .set({ name })
    .where(and(eq(passkeys.id, id), eq(passkeys.userId, userId)))
    .returning({ id: passkeys.id });
  return renamed.length === 1;
}

/** An answer with a valid signature, which `consumePasskey` uses up. */
export type CheckedPasskey = {
  id: string;
  userId: string;
  email: string;
  challenge: Buffer;
  signCount: number;
  backedUp: boolean;
};

/**
 * "unknown": no account has a passkey with this id; nothing else was checked. "other-domain": the
 * passkey dates from a time when this site had another domain.
 */
export type CheckPasskey =
  | { ok: true; passkey: CheckedPasskey }
  | { ok: false; reason: "incorrect" | "expired" | "other-domain" }
  | { ok: false; reason: "unknown"; credentialId: string };

/** Returns whose passkey answered, if it answers a challenge of our pages. Uses nothing up. */
export async function checkPasskey(
  db: Db,
  site: PasskeySite,
  answer: string,
  asked: Asked,
): Promise<CheckPasskey> {
  const read = readAssertion(site, answer, asked);
  if (!read.ok) return read;
  const { credentialId, handle, challenge, verify } = read.assertion;
  const [row] = await db
    .select({
      id: passkeys.id,
      userId: users.id,
      email: users.email,
      handle: users.passkeyHandle,
      publicKey: passkeys.publicKey,
      rpId: passkeys.rpId,
    })
    .from(passkeys)
    .innerJoin(users, eq(users.id, passkeys.userId))
    .where(eq(passkeys.credentialId, credentialId));
  if (!row)
    return { ok: false, reason: "unknown", credentialId: credentialId.toString("base64url") };
  if (row.rpId !== site.rpId) return { ok: false, reason: "other-domain" };
  const verified = await verify(row.publicKey);
  if (!verified || !row.handle.equals(handle)) return { ok: false, reason: "incorrect" };
  const { id, userId, email } = row;
  return { ok: true, passkey: { id, userId, email, challenge, ...verified } };
}

/**
 * "spent": this answer was used before. "gone": the passkey was removed. "copied": the counter did
 * not rise. Synced passkeys send no counter, so for them 0 after 0 is accepted.
 */
export type ConsumePasskey = "used" | "spent" | "gone" | "copied";

export async function consumePasskey(
  tx: Db,
  { id, userId, challenge, signCount, backedUp }: CheckedPasskey,
): Promise<ConsumePasskey> {
  if (!(await spendChallenge(tx, challenge))) return "spent";
  const used = await tx.execute(sql`
    update ${passkeys} set sign_count = ${signCount}, backed_up = ${backedUp}, last_used_at = now()
    where id = ${id} and user_id = ${userId}
      and (sign_count < ${signCount} or (sign_count = 0 and ${signCount}::bigint = 0))
    returning id`);
  if (used.length === 1) return "used";
  const found = await tx.execute(sql`
    select from ${passkeys} where id = ${id} and user_id = ${userId}`);
  return found.length === 1 ? "copied" : "gone";
}

/** Returns true once per challenge, for any number of simultaneous uses. */
export async function spendChallenge(tx: Db, hash: Buffer): Promise<boolean> {
  const spent = await tx.execute(sql`
    insert into ${spentChallenges} (hash, expires_at)
    values (${hash}, now() + ${interval(passkeyPolicy.spentChallenge)})
    on conflict do nothing returning hash`);
  return spent.length === 1;
}

/** Housekeeping: deletes spent challenges that are too old to be accepted anyway. */
export async function deleteSpentChallenges(db: Db): Promise<void> {
  await db.delete(spentChallenges).where(sql`${spentChallenges.expiresAt} < now()`);
}
