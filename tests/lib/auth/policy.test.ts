import { describe, expect, it } from "vitest";
import { linkPolicy, logInPolicy, passwordPolicy, sessionPolicy } from "@/lib/auth/policy";
import { days, hours, minutes } from "@/lib/time";

/* Checks invariants that a changed number must keep; does not repeat the numbers. */

describe("sessionPolicy", () => {
  it.each(["persistent", "temporary", "app"] as const)(
    "ends an idle %s session before its absolute end",
    (kind) => {
      expect(sessionPolicy[kind].idle).toBeLessThan(sessionPolicy[kind].absolute);
    },
  );

  it("keeps no session longer than NIST SP 800-63B-4 allows at AAL1", () => {
    expect(sessionPolicy.persistent.absolute).toBeLessThanOrEqual(days(30));
  });

  it("is shorter if the session is not persistent", () => {
    expect(sessionPolicy.temporary.absolute).toBeLessThan(sessionPolicy.persistent.absolute);
    expect(sessionPolicy.temporary.idle).toBeLessThan(sessionPolicy.persistent.idle);
  });

  it("touches often enough that no active session goes idle", () => {
    const shortest = Math.min(sessionPolicy.temporary.idle, sessionPolicy.persistent.idle);
    expect(sessionPolicy.touchInterval).toBeLessThan(shortest / 10);
    expect(sessionPolicy.touchInterval).toBeGreaterThanOrEqual(minutes(1));
  });
});

describe("linkPolicy", () => {
  it("keeps a sign-up link valid overnight, not for weeks", () => {
    expect(linkPolicy.signUp).toBeGreaterThanOrEqual(hours(12));
    expect(linkPolicy.signUp).toBeLessThanOrEqual(days(2));
  });

  it("keeps links that open an account valid for hours at most, and links that undo an attack for days", () => {
    expect(linkPolicy.passwordReset).toBeLessThanOrEqual(hours(1));
    expect(linkPolicy.emailChange).toBeLessThanOrEqual(hours(24));
    expect(linkPolicy.emailRestore).toBeGreaterThanOrEqual(days(3));
    expect(linkPolicy.notMe).toBeGreaterThanOrEqual(days(3));
  });
});

describe("logInPolicy", () => {
  it("allows no more failures in a row than NIST SP 800-63B-4, 3.2.2", () => {
    expect(logInPolicy.failures).toBeLessThanOrEqual(100);
    expect(logInPolicy.burst).toBeLessThan(logInPolicy.failures);
  });

  it("waits for at least one interval when the burst is used up", () => {
    expect(logInPolicy.longestWait).toBeGreaterThanOrEqual(logInPolicy.interval);
  });
});

describe("passwordPolicy", () => {
  it("meets or exceeds OWASP ASVS 6.2 and the OWASP password storage cheat sheet", () => {
    expect(passwordPolicy.minLength).toBeGreaterThanOrEqual(8);
    expect(passwordPolicy.maxLength).toBeGreaterThanOrEqual(64);
    expect(passwordPolicy.argon2.memoryCost).toBeGreaterThanOrEqual(19 * 1024);
    expect(passwordPolicy.argon2.timeCost).toBeGreaterThanOrEqual(2);
  });

  it("accepts the longest password in any script", () => {
    expect(passwordPolicy.maxBytes).toBeGreaterThanOrEqual(passwordPolicy.maxLength * 4);
  });
});
