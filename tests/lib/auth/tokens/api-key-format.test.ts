import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { crc32, isApiKey, newApiKey, visiblePrefix } from "@/lib/auth/tokens/api-key-format";
import { product } from "@/lib/product";

const prefix = product.apiKeyPrefix;

describe("newApiKey", () => {
  it.each([
    ["user", "team", prefix],
    ["team", "user", product.teamKeyPrefix],
  ] as const)(
    "of a %s is its prefix, 32 random characters and 6 of checksum, and no key of a %s",
    (owner, other, prefix) => {
      const keys = Array.from({ length: 200 }, () => newApiKey(owner));
      for (const key of keys) {
        expect(key).toMatch(new RegExp(`^${prefix}[0-9A-Za-z]{38}$`));
        expect(isApiKey(owner, key)).toBe(true);
        expect(isApiKey(other, key)).toBe(false);
      }
      expect(new Set(keys).size).toBe(200);
    },
  );

  // `byte % 62` of every byte would make the first eight a quarter likelier: chi² of some 600.
  it("draws all characters equally often", () => {
    const count = new Map<string, number>();
    const drawn = 2000 * 32;
    for (let i = 0; i < 2000; i++)
      for (const char of newApiKey("user").slice(prefix.length, prefix.length + 32))
        count.set(char, (count.get(char) ?? 0) + 1);
    const expected = drawn / 62;
    const chi2 = [...count.values()].reduce((sum, n) => sum + (n - expected) ** 2 / expected, 0);
    expect(count.size).toBe(62);
    expect(chi2).toBeLessThan(150); // 61 degrees of freedom: exceeded once in 10^8 runs
  });
});

describe("isApiKey", () => {
  it("refuses every key with one character mistyped or two swapped", () => {
    const characters = [..."0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"];
    const place = fc.integer({ min: 0, max: prefix.length + 37 });
    fc.assert(
      fc.property(place, fc.constantFrom(...characters), (at, typed) => {
        const key = newApiKey("user");
        const mistyped = key.slice(0, at) + typed + key.slice(at + 1);
        expect(isApiKey("user", mistyped)).toBe(mistyped === key);
      }),
    );
    fc.assert(
      fc.property(fc.integer({ min: prefix.length, max: prefix.length + 30 }), (at) => {
        const key = newApiKey("user");
        const swapped = key.slice(0, at) + key[at + 1] + key[at] + key.slice(at + 2);
        expect(isApiKey("user", swapped)).toBe(swapped === key);
      }),
    );
  });

  it.each([
    undefined,
    null,
    1,
    {},
    "",
    prefix,
    `${prefix}${"0".repeat(38)}`,
    "x".repeat(46),
    "x".repeat(1e6),
  ])("refuses %.40s", (value) => {
    expect(isApiKey("user", value)).toBe(false);
  });

  it.each([
    ["another prefix", (key: string) => key.replace(prefix, `${prefix.slice(0, -1)}x`)],
    ["a space around it", (key: string) => ` ${key}`],
    ["a line after it", (key: string) => `${key}\n`],
    ["a character more", (key: string) => `${key}0`],
    ["the other case", (key: string) => key.toLowerCase()],
  ])("refuses %s", (_, change) => {
    expect(isApiKey("user", change(newApiKey("user")))).toBe(false);
  });
});

describe("crc32", () => {
  // The check value of CRC-32/ISO-HDLC in Greg Cook's catalogue, and zlib's value for no bytes.
  it.each([
    ["123456789", 0xcbf43926],
    ["", 0],
    ["The quick brown fox jumps over the lazy dog", 0x414fa339],
  ])("of %s is zlib's", (text, sum) => {
    expect(crc32(text)).toBe(sum);
  });
});

describe("visiblePrefix", () => {
  it("shows four of the random characters", () => {
    const key = newApiKey("user");
    expect(visiblePrefix(key)).toBe(key.slice(0, prefix.length + 4));
  });
});
