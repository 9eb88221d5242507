import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { hashToken, isToken, newToken } from "@/lib/auth/secrets";

describe("newToken", () => {
  it("makes 32 bytes in base64url, never the same twice", () => {
    const tokens = Array.from({ length: 1000 }, newToken);
    expect(new Set(tokens).size).toBe(1000);
    for (const token of tokens) expect(Buffer.from(token, "base64url")).toHaveLength(32);
    expect(tokens.every(isToken)).toBe(true);
  });
});

describe("isToken", () => {
  it.each([
    ...["", "x".repeat(42), "x".repeat(44), `${"x".repeat(42)}=`, `${"x".repeat(43)}\n`],
    ...[`${"x".repeat(42)}é`, `${"x".repeat(42)} `, null, undefined, 43, ["x".repeat(43)], {}],
  ])("refuses %j", (value) => {
    expect(isToken(value)).toBe(false);
  });
});

describe("hashToken", () => {
  it("is the SHA-256 of the token's text", () => {
    const token = newToken();
    expect(hashToken(token)).toEqual(createHash("sha256").update(token, "ascii").digest());
    expect(hashToken(token)).toHaveLength(32);
  });
});
