import { describe, expect, it } from "vitest";
import { deviceCookieName, knownDevice, rememberAccount } from "@/lib/auth/device-cookie";
import { deviceCookiePolicy } from "@/lib/auth/policy";
import { times } from "@/tests/support/races";

const secret = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldC0";
const email = "grace@example.com";
const others = times(deviceCookiePolicy.accounts, (n) => `other-${n}@example.com`);

/** The cookie after these have logged in, the last of them last. */
function cookieOf(...emails: string[]): string {
  return emails.reduce<string | undefined>(
    (value, each) => rememberAccount(value, each, secret),
    undefined,
  ) as string; // undefined only where nobody logged in
}

describe("deviceCookieName", () => {
  it("is __Host- on https, so that no other host can set it", () => {
    expect(deviceCookieName("https://app.example.com")).toBe("__Host-device");
    expect(deviceCookieName("http://localhost:3000")).toBe("device");
  });
});

describe("rememberAccount", () => {
  it("makes a browser known to the account, and to no other", () => {
    const cookie = cookieOf(email);
    expect(knownDevice(cookie, email, secret)).toMatch(/^[\w-]{22}$/);
    expect(knownDevice(cookie, "other@example.com", secret)).toBeNull();
  });

  it("keeps the device's id, and the accounts before", () => {
    const first = cookieOf(email);
    const both = rememberAccount(first, "other@example.com", secret);
    const id = knownDevice(first, email, secret);
    expect(knownDevice(both, email, secret)).toBe(id);
    expect(knownDevice(both, "other@example.com", secret)).toBe(id);
  });

  it("gives each browser an id of its own", () => {
    expect(knownDevice(cookieOf(email), email, secret)).not.toBe(
      knownDevice(cookieOf(email), email, secret),
    );
  });

  it("remembers as many accounts as the policy says, and forgets the one longest away", () => {
    const full = cookieOf(email, ...others.slice(1));
    expect(knownDevice(full, email, secret)).not.toBeNull();
    const over = rememberAccount(full, `${others[0]}`, secret);
    expect(over).toHaveLength(full.length);
    expect(knownDevice(over, email, secret)).toBeNull();
    for (const other of others) expect(knownDevice(over, other, secret)).not.toBeNull();
  });

  it("moves an account that comes back to the front, and does not list it twice", () => {
    const cookie = cookieOf(email, ...others.slice(1), email, `${others[0]}`);
    expect(knownDevice(cookie, email, secret)).not.toBeNull();
    expect(knownDevice(cookie, `${others[1]}`, secret)).toBeNull();
    expect(cookieOf(email, email)).toHaveLength(cookieOf(email).length);
  });

  it("names no account in the clear", () => {
    const cookie = cookieOf(email);
    for (const encoding of ["utf8", "base64", "base64url", "hex"] as const)
      expect(cookie).not.toContain(Buffer.from("grace").toString(encoding).slice(0, 5));
  });

  it("fits a header, and holds what a cookie may hold", () => {
    expect(cookieOf(...others)).toMatch(/^[\w-]{1,200}$/);
  });

  it.each(["", "x", "x".repeat(23), "x".repeat(100_000), `${"x".repeat(43)};`, "é".repeat(22)])(
    "starts afresh from what is no such cookie",
    (garbage) => {
      const cookie = rememberAccount(garbage, email, secret);
      expect(cookie).toHaveLength(44);
      expect(knownDevice(cookie, email, secret)).not.toBeNull();
    },
  );
});

describe("knownDevice", () => {
  const cookie = cookieOf(email);

  it("knows nobody by a cookie that was made with another secret", () => {
    expect(knownDevice(cookie, email, `${secret}x`)).toBeNull();
  });

  it("notices every single character that was changed", () => {
    const flipped = [...cookie].map((character, at) => {
      const other = character === "A" ? "B" : "A";
      return cookie.slice(0, at) + other + cookie.slice(at + 1);
    });
    for (const tampered of flipped) expect(knownDevice(tampered, email, secret)).toBeNull();
  });

  it("does not take one browser's entry in another's cookie", () => {
    const entry = cookie.slice(22);
    const elsewhere = cookieOf("other@example.com");
    expect(knownDevice(elsewhere + entry, email, secret)).toBeNull();
  });

  it.each([
    undefined,
    "",
    ...["x", "x".repeat(22), "x".repeat(44), "x".repeat(22 * 7), "x".repeat(1_000_000)],
    ...[`${cookie} `, `${cookie}=`, ` ${cookie}`, cookie.slice(1), `${cookie}\n`, `${cookie}é`],
    `${cookie}${"x".repeat(22 * deviceCookiePolicy.accounts)}`,
  ])("knows nobody by a cookie of another shape", (value) => {
    expect(knownDevice(value, email, secret)).toBeNull();
  });
});
