import { createHash, randomInt } from "node:crypto";
import { count, eq, sql } from "drizzle-orm";
import { twoFactorPolicy } from "@/lib/auth/policy";
import type { Db } from "@/lib/db/client";
import { recoveryCodes } from "@/lib/db/schema/recovery-codes";

/*
 * Creates and consumes recovery codes, each of which replaces the authenticator app once. Security:
 * only hashes are stored, and a code is used by deleting its row, so that of any number of
 * simultaneous uses only one succeeds. Call functions that change rows with the user locked.
 */

// Crockford's alphabet omits I, L, O and U; `normalized` reads I, L and O as 1, 1 and 0.
const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/** Replaces the user's codes with a new set. Returns the codes once; only hashes are stored. */
export async function replaceRecoveryCodes(tx: Db, userId: string): Promise<string[]> {
  const codes = Array.from({ length: twoFactorPolicy.recoveryCodes.count }, newCode);
  await tx.delete(recoveryCodes).where(eq(recoveryCodes.userId, userId));
  await tx.insert(recoveryCodes).values(codes.map((code) => ({ userId, codeHash: hash(code) })));
  return codes;
}

/** Reports whether this is an unused code of the user. Does not use it up. */
export async function isRecoveryCode(db: Db, userId: string, typed: string): Promise<boolean> {
  const [row] = await db
    .select({ n: count() })
    .from(recoveryCodes)
    .where(sql`${recoveryCodes.userId} = ${userId} and ${recoveryCodes.codeHash} = ${hash(typed)}`);
  return (row?.n ?? 0) > 0;
}

/** Uses a code up. Returns true once per code. */
export async function consumeRecoveryCode(tx: Db, userId: string, typed: string): Promise<boolean> {
  const used = await tx.execute(sql`
    delete from ${recoveryCodes} where user_id = ${userId} and code_hash = ${hash(typed)}
    returning user_id`);
  return used.length === 1;
}

export async function countRecoveryCodes(db: Db, userId: string): Promise<number> {
  const [row] = await db
    .select({ n: count() })
    .from(recoveryCodes)
    .where(eq(recoveryCodes.userId, userId));
  return row?.n ?? 0;
}

/** Returns a code in groups of four, as it is shown. */
function newCode(): string {
  const { characters } = twoFactorPolicy.recoveryCodes;
  const code = Array.from({ length: characters }, () => alphabet[randomInt(alphabet.length)]);
  return (code.join("").match(/.{4}/g) ?? []).join("-");
}

function hash(typed: string): Buffer {
  return createHash("sha256").update(normalized(typed)).digest();
}

function normalized(typed: string): string {
  return typed.toUpperCase().replace(/[\s-]/g, "").replaceAll("O", "0").replace(/[IL]/g, "1");
}
