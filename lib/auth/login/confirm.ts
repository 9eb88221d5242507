import { sql } from "drizzle-orm";
import { findIdentityOwner, touchIdentity } from "@/lib/auth/credentials/identities";
import { hasStrongWay, type WaysHere } from "@/lib/auth/credentials/last-way-in";
import type { CheckedPasskey } from "@/lib/auth/credentials/passkeys";
import { hasPassword, verifyPassword } from "@/lib/auth/credentials/passwords";
import type { Person } from "@/lib/auth/credentials/providers";
import { isTwoFactorOn } from "@/lib/auth/credentials/two-factor";
import type { Asked } from "@/lib/auth/credentials/webauthn";
import { providerPolicy } from "@/lib/auth/policy";
import type { SealingKeys } from "@/lib/auth/sealing";
import type { Session } from "@/lib/auth/sessions/lookup";
import { rotateSession } from "@/lib/auth/sessions/rotate";
import type { Db } from "@/lib/db/client";
import { users } from "@/lib/db/schema/users";
import { acceptPasskey } from "./passkey-use";
import { checkSecondFactor, consumeSecondFactor } from "./second-factor";

/*
 * Renews a session's proof of identity (sudo). Security: a confirmation asks for what a login asks
 * for, so a password alone does not renew what a second factor proved. The session gets a new
 * token, so a token that was stolen before becomes useless. How long a proof lasts, and for which
 * actions, is decided by the database at every lookup: see `sudo` in lib/auth/sessions/live.ts and
 * sudoPolicy.
 */

export type ConfirmSession =
  | { ok: true; token: string }
  /** "code-incorrect": the password, if one was needed, was right; the code is missing or wrong. */
  | { ok: false; reason: "incorrect" | "code-incorrect" | "overtaken" }
  | { ok: false; reason: "limited"; retryAfter: number };

/**
 * Confirms by password, plus a second factor if the account has two-factor. `presented` is the
 * acting session's token, which the returned one replaces. "overtaken": another request rotated or
 * ended the session first, and its response holds the current token, if there is one.
 */
export async function confirmSession(
  db: Db,
  session: Session,
  proof: { presented: string; password: string; code?: string; keys?: SealingKeys },
): Promise<ConfirmSession> {
  const verified = await verifyPassword(db, session.user.email, proof.password);
  if (verified?.userId !== session.userId) return { ok: false, reason: "incorrect" };
  if (!verified.twoFactor) return rotate(db, session, proof.presented, ["pwd"]);

  const owner = { userId: session.userId, email: session.user.email };
  const by = { source: session.id, client: session.client, keys: proof.keys ?? [] };
  const checked = proof.code
    ? await checkSecondFactor(db, owner, proof.code, by)
    : ({ ok: false, reason: "incorrect" } as const);
  if (!checked.ok)
    return checked.reason === "limited" ? checked : { ok: false, reason: "code-incorrect" };
  const { factor } = checked;
  return db.transaction(async (tx) => {
    await tx.execute(sql`select from ${users} where id = ${owner.userId} for no key update`);
    if (!(await consumeSecondFactor(tx, owner, factor, session.client)))
      return { ok: false, reason: "code-incorrect" };
    return rotate(tx, session, proof.presented, ["pwd", factor.amr]);
  });
}

/** Returns the purpose and context of the challenge for a confirmation. */
export function confirmingWithPasskey(session: Session): Asked {
  return { purpose: "confirm", context: session.id };
}

export type ConfirmWithPasskey =
  | { ok: true; token: string }
  | { ok: false; reason: "incorrect" | "copied" | "overtaken" };

/** Confirms by passkey. Returns "incorrect" also if the passkey belongs to another account. */
export async function confirmWithPasskey(
  db: Db,
  session: Session,
  { presented, passkey }: { presented: string; passkey: CheckedPasskey },
): Promise<ConfirmWithPasskey> {
  if (passkey.userId !== session.userId) return { ok: false, reason: "incorrect" };
  return db.transaction(async (tx) => {
    await tx.execute(sql`select from ${users} where id = ${session.userId} for no key update`);
    const used = await acceptPasskey(tx, passkey, session.client);
    if (used === "copied") return { ok: false, reason: "copied" };
    if (used !== "used") return { ok: false, reason: "incorrect" };
    return rotate(tx, session, presented, ["passkey"]);
  });
}

/** What the user of an account is asked for. A passkey is accepted in every case. */
export type ConfirmWay = "password" | "code" | "passkey" | "provider";

/**
 * Returns how the user confirms: by password if there is one (with a code if two-factor is on),
 * else by code alone, else by a passkey that works here. An account at a provider, whose answer is
 * the weakest proof, is used only without any of these. Call it with the user locked if a change
 * depends on the result.
 */
export async function findConfirmWay(db: Db, userId: string, here: WaysHere): Promise<ConfirmWay> {
  if (await hasPassword(db, userId)) return "password";
  if (await isTwoFactorOn(db, userId)) return "code";
  return (await hasStrongWay(db, userId, here)) ? "passkey" : "provider";
}

async function confirmsByCode(db: Db, userId: string): Promise<boolean> {
  return !(await hasPassword(db, userId)) && (await isTwoFactorOn(db, userId));
}

/** Confirms by a code alone, for an account without a password. */
export async function confirmWithCode(
  db: Db,
  session: Session,
  proof: { presented: string; code: string; keys: SealingKeys },
): Promise<ConfirmSession> {
  // Checked before anything is counted, and again under the lock.
  if (!(await confirmsByCode(db, session.userId))) return { ok: false, reason: "incorrect" };
  const owner = { userId: session.userId, email: session.user.email };
  const by = { source: session.id, client: session.client, keys: proof.keys };
  const checked = await checkSecondFactor(db, owner, proof.code, by);
  if (!checked.ok)
    return checked.reason === "limited" ? checked : { ok: false, reason: "code-incorrect" };
  return db.transaction(async (tx) => {
    await tx.execute(sql`select from ${users} where id = ${owner.userId} for no key update`);
    if (!(await confirmsByCode(tx, owner.userId))) return { ok: false, reason: "incorrect" };
    if (!(await consumeSecondFactor(tx, owner, checked.factor, session.client)))
      return { ok: false, reason: "code-incorrect" };
    return rotate(tx, session, proof.presented, [checked.factor.amr]);
  });
}

export type ConfirmWithIdentity =
  | { ok: true; token: string }
  /** "stale": the user did not log in there for this. "better-way": the account now has one. */
  | { ok: false; reason: "incorrect" | "stale" | "better-way" | "overtaken" };

/**
 * Confirms by an account at a provider that is the user's, if the user has no better way. `begunAt`
 * is when the browser was sent there. If the provider reports when the user logged in, that time
 * must not be earlier than `begunAt` (less `clockSkew`).
 */
export async function confirmWithIdentity(
  db: Db,
  session: Session,
  proof: { presented: string; person: Person; begunAt: Date; here: WaysHere },
): Promise<ConfirmWithIdentity> {
  const { person, begunAt, here } = proof;
  const { authenticatedAt } = person;
  const since = begunAt.getTime() - providerPolicy.clockSkew;
  if (authenticatedAt && authenticatedAt.getTime() < since) return { ok: false, reason: "stale" };
  return db.transaction(async (tx) => {
    await tx.execute(sql`select from ${users} where id = ${session.userId} for no key update`);
    const owner = await findIdentityOwner(tx, person);
    if (owner?.userId !== session.userId) return { ok: false, reason: "incorrect" };
    if ((await findConfirmWay(tx, session.userId, here)) !== "provider")
      return { ok: false, reason: "better-way" };
    await touchIdentity(tx, owner, person.label);
    return rotate(tx, session, proof.presented, [person.provider]);
  });
}

async function rotate(
  db: Db,
  session: Session,
  presented: string,
  amr: string[],
): Promise<{ ok: true; token: string } | { ok: false; reason: "overtaken" }> {
  const rotated = await rotateSession(db, presented, amr, session.client);
  return rotated ? { ok: true, token: rotated.token } : { ok: false, reason: "overtaken" };
}
