import { randomBytes } from "node:crypto";
import { sql } from "drizzle-orm";
import { replaceRecoveryCodes } from "@/lib/auth/credentials/recovery-codes";
import { codeAt } from "@/lib/auth/credentials/totp";
import { twoFactorPolicy } from "@/lib/auth/policy";
import { parseSealingKeys, seal } from "@/lib/auth/sealing";
import type { Db } from "@/lib/db/client";
import { totpSecrets } from "@/lib/db/schema/totp-secrets";

/* An authenticator app for tests. */

/** The keys in tests/support/environment.ts and in the apps of the end-to-end tests. */
export const keys = parseSealingKeys("dGVzdC1rZXktdGVzdC1rZXktdGVzdC1rZXktdGVzdC0");

export type Authenticator = {
  secret: Buffer;
  recoveryCodes: string[];
  /**
   * Returns the current code; `offset` counts in steps of 30 seconds. The server accepts the steps
   * -1, 0 and 1. Tests use 0 and 1, which stay valid if the next step begins meanwhile.
   */
  code(offset?: number): string;
  /** Returns six digits that are not an accepted code at this time. */
  wrong(): string;
};

/** Inserts a confirmed app and recovery codes. Ends no session. */
export async function addTwoFactor(db: Db, user: { id: string }): Promise<Authenticator> {
  const secret = randomBytes(twoFactorPolicy.totp.secretBytes);
  const sealed = seal(keys, "totp", user.id, secret);
  await db.insert(totpSecrets).values({ userId: user.id, secret: sealed, confirmedAt: sql`now()` });
  return authenticator(secret, await replaceRecoveryCodes(db, user.id));
}

/** Decodes the secret that an app reads from the QR code, or from the key beside it. */
export function fromBase32(text: string): Buffer {
  const bits = [...text]
    .map((each) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(each).toString(2).padStart(5, "0"))
    .join("");
  return Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)));
}

export function authenticator(secret: Buffer, recoveryCodes: string[] = []): Authenticator {
  const step = () => Math.floor(Date.now() / 30_000);
  const code = (offset = 0) => codeAt(secret, step() + offset);
  const wrong = () => {
    const right = [-2, -1, 0, 1, 2].map(code);
    const found = ["000000", "111111", "222222", "333333", "444444", "555555"].find(
      (each) => !right.includes(each),
    );
    return found ?? "666666";
  };
  return { secret, recoveryCodes, code, wrong };
}
