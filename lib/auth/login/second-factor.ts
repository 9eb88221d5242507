import { sql } from "drizzle-orm";
import { recordEach } from "@/lib/audit";
import { hasPassword } from "@/lib/auth/credentials/passwords";
import {
  consumeRecoveryCode,
  countRecoveryCodes,
  isRecoveryCode,
} from "@/lib/auth/credentials/recovery-codes";
import { consumeStep, findStep } from "@/lib/auth/credentials/two-factor";
import { addMail } from "@/lib/auth/mails/jobs";
import { twoFactorPolicy } from "@/lib/auth/policy";
import { retiredPassword } from "@/lib/auth/revocation";
import type { SealingKeys } from "@/lib/auth/sealing";
import type { Db } from "@/lib/db/client";
import { pendingLogins } from "@/lib/db/schema/pending-logins";
import { totpSecrets } from "@/lib/db/schema/totp-secrets";
import { users } from "@/lib/db/schema/users";
import type { Client } from "@/lib/http";
import { consumeCode } from "./limits";

/*
 * Compares second factors, for logins, confirmations and apps. Security: a try is counted and
 * committed before the code is compared. The code is used up later, in the transaction that it
 * authorizes. Many wrong codes mean that an attacker knows the password, which is then retired.
 */

/** A second factor that was right when it was compared. `consumeSecondFactor` uses it up. */
export type SecondFactor = { amr: "otp"; step: number } | { amr: "recovery"; code: string };

export type CheckSecondFactor =
  | { ok: true; factor: SecondFactor }
  | { ok: false; reason: "incorrect" | "ended" }
  | { ok: false; reason: "limited" /** In seconds. */; retryAfter: number };

export type Owner = { userId: string; email: string };

/**
 * Compares a second factor. Six digits are a code of the app; anything else is a recovery code.
 * `source` names a browser or session with its own count. If the limit for codes refuses the try,
 * `count` is not called. Recovery codes cannot be guessed, so only `count` limits them. "ended":
 * `count` returned false.
 */
export async function checkSecondFactor(
  db: Db,
  owner: Owner,
  typed: string,
  by: {
    source: string | null;
    client: Client;
    keys: SealingKeys;
    /** Counts the try in the caller's own limit and commits; false if none is left. */
    count?: () => Promise<boolean>;
  },
): Promise<CheckSecondFactor> {
  const incorrect = { ok: false, reason: "incorrect" } as const;
  const ended = { ok: false, reason: "ended" } as const;
  const { count = async () => true } = by;
  if (!isAppCode(typed)) {
    if (!(await count())) return ended;
    if (await isRecoveryCode(db, owner.userId, typed))
      return { ok: true, factor: { amr: "recovery", code: typed } };
    await recordWrongRecoveryCode(db, owner.userId, by.client);
    return incorrect;
  }
  const taken = await consumeCode(db, owner.userId, by.source);
  if (!taken.ok) return taken;
  if (!(await count())) return ended;
  const step = await findStep(db, owner.userId, typed, by.keys);
  if (step !== null) return { ok: true, factor: { amr: "otp", step } };
  await countWrongCode(db, owner, by.client);
  return incorrect;
}

export function isAppCode(typed: string): boolean {
  return /^\d{6}$/.test(typed.replace(/\s/g, ""));
}

/** Uses up the factor; call it with the user locked. False if another request used it first. */
export async function consumeSecondFactor(
  tx: Db,
  { userId, email }: Owner,
  factor: SecondFactor,
  client: Client,
): Promise<boolean> {
  if (factor.amr === "otp") return consumeStep(tx, userId, factor.step);
  if (!(await consumeRecoveryCode(tx, userId, factor.code))) return false;
  const [recorded] = await tx.execute<{ id: number }>(sql`
    with used as (select ${userId}::uuid as user_id, null::uuid as session_id)
    ${recordEach("used", "recovery-code-used", client)} returning id::int`);
  await addMail(tx, "two-factor-changed", {
    ...{ userId, to: email, client, at: new Date().toISOString() },
    ...{ change: "recovery-code-used", recoveryCodes: await countRecoveryCodes(tx, userId) },
    event: recorded?.id ?? 0,
  });
  return true;
}

/**
 * Counts a wrong code. Warns the owner after some in a row, and retires the password, if there is
 * one, after many.
 */
async function countWrongCode(db: Db, { userId, email }: Owner, client: Client): Promise<void> {
  const { warnAt, retireAt } = twoFactorPolicy.failures;
  await db.transaction(async (tx) => {
    const [row] = await tx.execute<{ failures: number }>(sql`
      with changed as (
        select id as user_id, null::uuid as session_id from ${users} where id = ${userId}
        for no key update),
      recorded as (${recordEach("changed", "second-factor-failed", client)})
      update ${totpSecrets} set failures = failures + 1 from changed
      where ${totpSecrets.userId} = changed.user_id and confirmed_at is not null
      returning failures`);
    const failures = row?.failures ?? 0;
    if (failures >= retireAt && (await hasPassword(tx, userId)))
      await retirePassword(tx, { userId, email }, client);
    else if (failures > 0 && failures % warnAt === 0)
      await addMail(tx, "wrong-codes", {
        ...{ userId, to: email, client, at: new Date().toISOString(), failures },
      });
  });
}

/**
 * Deletes the password, because an attacker knows it, and mails a link to set a new one. Sessions
 * and other ways to log in stay.
 */
async function retirePassword(tx: Db, { userId, email }: Owner, client: Client): Promise<void> {
  await tx.execute(sql`
    with changed as (select ${userId}::uuid as user_id, null::uuid as session_id),
    ${retiredPassword},
    ended as (delete from ${pendingLogins} where user_id = ${userId}),
    reset as (update ${totpSecrets} set failures = 0 where user_id = ${userId})
    ${recordEach("changed", "password-retired", client)}`);
  await addMail(tx, "password-reset", { to: email, by: "wrong-codes" });
}

async function recordWrongRecoveryCode(db: Db, userId: string, client: Client): Promise<void> {
  await db.execute(sql`
    with failed as (
      select id as user_id, null::uuid as session_id from ${users} where id = ${userId}
      for no key update)
    ${recordEach("failed", "second-factor-failed", client)}`);
}
