import * as argon2 from "@node-rs/argon2";
import { describe, expect, it, vi } from "vitest";
import { unknownClient } from "@/lib/audit";
import { consumeLogIn, resetLogInLimits } from "@/lib/auth/login/limits";
import { logIn } from "@/lib/auth/login/log-in";
import { logInPolicy } from "@/lib/auth/policy";
import { limits } from "@/lib/rate-limits";
import { db, sql } from "@/tests/support/database";
import { times } from "@/tests/support/races";
import { createUser, type TestUser } from "@/tests/support/users";

/*
 * Attacks on one account through what the login does: the limits, then the password. Counts how
 * many guesses reach the hash.
 */

// Spied on, not replaced: every check is real, and counted.
vi.mock("@node-rs/argon2", { spy: true });

const right = "the owner's password";

/** Creates a user whose hash has the lowest parameters, so that checks take no time. */
async function createTarget(): Promise<TestUser> {
  const user = await createUser(db);
  const hash = await argon2.hash(right, { memoryCost: 8, timeCost: 1, parallelism: 1 });
  await sql`update passwords set hash = ${hash} where user_id = ${user.id}`;
  return user;
}

/** Tries to log in as the login page and the API do. */
async function tryLogIn(
  email: string,
  password: string,
  ip: string,
  browser: string | null = null,
) {
  const attempt = { email, ip, browser };
  const taken = await consumeLogIn(db, attempt);
  if (!taken.ok) return taken.reason;
  const result = await logIn(db, {
    ...{ email, password, persistent: false, presented: null },
    ...{ knownBrowser: browser !== null, client: unknownClient },
  });
  if (result.ok) await resetLogInLimits(db, attempt);
  return result.ok ? "logged in" : result.reason;
}

/** Tries wrong passwords from these IP addresses, 20 at once, without waiting between them. */
async function attack(email: string, ips: string[]): Promise<{ hashed: number; last: string }> {
  const checks = vi.mocked(argon2.verify).mock.calls;
  const before = checks.length;
  let last = "";
  for (let n = 0; n < ips.length; n += logInPolicy.burst) {
    const batch = ips.slice(n, n + logInPolicy.burst);
    const answers = await Promise.all(batch.map((ip) => tryLogIn(email, `guess ${n}`, ip)));
    last = answers.at(-1) ?? last;
    // As if the attacker had waited for a turn.
    await sql`update log_in_attempts set tat = now() where tat > now()`;
  }
  return { hashed: checks.length - before, last };
}

/** Returns a different IP address for each n: IPv4, or IPv6 in a /48 of its own. */
const address = (n: number) =>
  n % 2 ? `10.${n >> 8}.${n & 255}.1` : `2001:db8:${n.toString(16)}::1`;

describe("guesses at one account", () => {
  it("from 10,000 IP addresses reach the hash at most 100 times, and the owner's known browser gets in", async () => {
    const { email } = await createTarget();
    const owner = () => tryLogIn(email, right, "203.0.113.1", "known");
    expect(await attack(email, times(50, address))).toMatchObject({ hashed: 50 });
    expect(await owner()).toBe("logged in");
    const ips = times(9_950, (n) => address(n + 50));
    const { hashed, last } = await attack(email, ips);
    expect(hashed).toBe(logInPolicy.failures - 50);
    expect(last).toBe("browser-unconfirmed");
    expect(await owner()).toBe("logged in");
    // The right password from another browser is not checked.
    expect(await tryLogIn(email, right, "203.0.113.2")).toBe("browser-unconfirmed");
  });

  it("from the 900 /64 of one /48 reach the hash as often as the /48's limit allows", async () => {
    const { email } = await createTarget();
    const ips = times(900, (n) => `2001:db8:aaaa:${n.toString(16)}::1`);
    const { hashed } = await attack(email, ips);
    expect(hashed).toBe(limits.logInPerAccountAndSite.burst);
    // The owner is not limited in a new browser from elsewhere.
    expect(await tryLogIn(email, right, "2001:db8:bbbb::1")).toBe("logged in");
  });

  it("at an email without an account get the same answers in the same order", async () => {
    const known = await createTarget();
    const answers = async (email: string, base: string) => {
      const given: string[] = [];
      for (let n = 0; n < logInPolicy.failures + 5; n++) {
        given.push(await tryLogIn(email, "wrong", `${base}.${n}.1`));
        await sql`update log_in_attempts set tat = now() where tat > now()`;
      }
      return given;
    };
    const expected = await answers(known.email, "10.200");
    expect(expected).toEqual([
      ...times(logInPolicy.failures, () => "incorrect"),
      ...times(5, () => "browser-unconfirmed"),
    ]);
    expect(await answers(`no-${known.email}`, "10.201")).toEqual(expected);
  });

  it("are counted anew after a success on an unknown browser", async () => {
    const { email } = await createTarget();
    await attack(email, times(logInPolicy.failures - 1, address));
    expect(await tryLogIn(email, right, "203.0.113.3")).toBe("logged in");
    const { hashed } = await attack(email, times(logInPolicy.failures + 50, address));
    expect(hashed).toBe(logInPolicy.failures);
  });
});
