import { randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import { open, parseSealingKeys, seal } from "@/lib/auth/sealing";

const newKey = () => randomBytes(32).toString("base64url");
const [old, fresh] = [newKey(), newKey()];
const keys = parseSealingKeys(old);
const secret = Buffer.from("12345678901234567890");
const sealed = seal(keys, "totp", "user", secret);

describe("seal", () => {
  it("can be opened, hides the secret, and never gives the same bytes twice", () => {
    expect(open(keys, "totp", "user", sealed)).toEqual(secret);
    expect(sealed).toHaveLength(53);
    expect(sealed.includes(secret)).toBe(false);
    expect(seal(keys, "totp", "user", secret)).not.toEqual(sealed);
  });

  it("seals with the first key, and opens with all of them", () => {
    const rotated = parseSealingKeys(`${fresh}, ${old}`);
    expect(open(rotated, "totp", "user", sealed)).toEqual(secret);
    const resealed = seal(rotated, "totp", "user", secret);
    expect(open(parseSealingKeys(fresh), "totp", "user", resealed)).toEqual(secret);
    expect(open(keys, "totp", "user", resealed)).toBeNull();
  });
});

describe("open refuses", () => {
  it.each([
    ["another user's", () => open(keys, "totp", "other", sealed)],
    ["another purpose's", () => open(keys, "key", "user", sealed)],
    ["a lost key's", () => open(parseSealingKeys(fresh), "totp", "user", sealed)],
    ["nothing", () => open(keys, "totp", "user", Buffer.alloc(0))],
    ["a cut one", () => open(keys, "totp", "user", sealed.subarray(0, 30))],
  ])("%s", (_, attempt) => expect(attempt()).toBeNull());

  it("each single bit that was flipped", () => {
    for (let bit = 0; bit < sealed.length * 8; bit++) {
      const flipped = Buffer.from(sealed);
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(open(keys, "totp", "user", flipped), `bit ${bit}`).toBeNull();
    }
  });
});
