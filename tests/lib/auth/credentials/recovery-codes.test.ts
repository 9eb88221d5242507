import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { consumeRecoveryCode, replaceRecoveryCodes } from "@/lib/auth/credentials/recovery-codes";
import { twoFactorPolicy } from "@/lib/auth/policy";
import { db, sql } from "@/tests/support/database";
import { times } from "@/tests/support/races";
import { createUser } from "@/tests/support/users";

const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

const bare = (code: string) => code.replaceAll("-", "");

describe("replaceRecoveryCodes", () => {
  it("makes codes of at least 112 random bits, which need no slow hash (ASVS 6.5.2)", async () => {
    const users = await Promise.all(times(20, () => createUser(db)));
    const sets = await Promise.all(users.map(({ id }) => replaceRecoveryCodes(db, id)));
    const codes = sets.flat().map(bare);
    expect(new Set(codes).size).toBe(20 * twoFactorPolicy.recoveryCodes.count);
    for (const code of codes) {
      expect(code).toMatch(new RegExp(`^[${alphabet}]+$`));
      expect(code.length * Math.log2(alphabet.length)).toBeGreaterThanOrEqual(112);
    }
    // 3,840 characters of 32 kinds: each occurs some 120 times.
    const counts = [...alphabet].map((each) => codes.join("").split(each).length - 1);
    expect(Math.min(...counts)).toBeGreaterThan(60);
    expect(Math.max(...counts)).toBeLessThan(200);
  });

  it("stores only their SHA-256, and accepts each once", async () => {
    const user = await createUser(db);
    const codes = await replaceRecoveryCodes(db, user.id);
    const rows = await sql<{ hash: Buffer }[]>`
      select code_hash as hash from recovery_codes where user_id = ${user.id}`;
    const hashes = codes.map((code) => createHash("sha256").update(bare(code)).digest("hex"));
    expect(rows.map(({ hash }) => hash.toString("hex")).sort()).toEqual(hashes.sort());
    for (const works of [true, false])
      expect(await consumeRecoveryCode(db, user.id, `${codes[0]}`)).toBe(works);
  });
});
