import { describe, expect, it } from "vitest";
import { base32, codeAt, matchingStep, otpauthUri } from "@/lib/auth/credentials/totp";

const secret = Buffer.from("12345678901234567890");

describe("codeAt", () => {
  // RFC 6238, appendix B: the SHA-1 rows, shortened to the last six digits.
  it.each([
    [59, "287082"],
    [1111111109, "081804"],
    [1111111111, "050471"],
    [1234567890, "005924"],
    [2000000000, "279037"],
    [20000000000, "353130"],
  ])("at %i is %s", (time, code) => expect(codeAt(secret, Math.floor(time / 30))).toBe(code));
});

describe("matchingStep", () => {
  const now = 1_700_000_010; // the start of a step
  const step = now / 30;
  const match = (offset: number, lastStep = 0, at = now) =>
    matchingStep(secret, codeAt(secret, step + offset), at, lastStep);

  it("accepts the current step and one on each side, and no other step", () => {
    expect([-2, -1, 0, 1, 2].map((offset) => match(offset))).toEqual([
      ...[null, step - 1, step, step + 1, null],
    ]);
  });

  it("changes after the last second of a step", () => {
    expect([match(-1, 0, now + 29.9), match(-1, 0, now + 30)]).toEqual([step - 1, null]);
  });

  it("refuses a step that was used, and those before it", () => {
    expect([match(0, step), match(-1, step), match(1, step)]).toEqual([null, null, step + 1]);
  });

  it("ignores spaces only", () => {
    const code = codeAt(secret, step);
    const type = (typed: string) => matchingStep(secret, typed, now, 0);
    expect(type(` ${code.slice(0, 3)} ${code.slice(3)}\n`)).toBe(step);
    for (const wrong of ["", "0", code.slice(1), `${code}0`, `-${code.slice(1)}`, "é".repeat(3)])
      expect(type(wrong), wrong).toBeNull();
  });
});

describe("base32", () => {
  // RFC 4648, section 10, without padding.
  it.each([
    ["", ""],
    ["f", "MY"],
    ["fo", "MZXQ"],
    ["foob", "MZXW6YQ"],
    ["foobar", "MZXW6YTBOI"],
  ])("of %j is %j", (text, encoded) => expect(base32(Buffer.from(text))).toBe(encoded));
});

describe("otpauthUri", () => {
  it("escapes names", () => {
    expect(otpauthUri(secret, "A & B", "a+b@example.com")).toBe(
      `otpauth://totp/A%20%26%20B:a%2Bb%40example.com?secret=${base32(secret)}&issuer=A%20%26%20B`,
    );
  });
});
