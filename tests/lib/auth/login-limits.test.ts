import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import { forgiveLogIn, type LogInTry, takeLogIn } from "@/lib/auth/login-limits";
import { logInDelay } from "@/lib/auth/policy";
import { limits } from "@/lib/limits";
import { db, sql } from "@/tests/support/database";
import { times } from "@/tests/support/races";

const account = () => `${randomUUID()}@example.com`;
let used = 0;
/** An address that no other test uses. */
const place = () => `2001:db8:${(++used).toString(16)}::1`;

const refuses = async (attempt: LogInTry) => !(await takeLogIn(db, attempt)).ok;

/** How long it took, too. */
async function timed(attempt: LogInTry): Promise<{ ok: boolean; took: number }> {
  const start = performance.now();
  const { ok } = await takeLogIn(db, attempt);
  return { ok, took: performance.now() - start };
}

describe("takeLogIn", () => {
  it("refuses the eleventh guess at one account from one place, and says for how long", async () => {
    const attempt = { email: account(), ip: place(), device: null };
    const { burst, period } = limits.logInPerAccountAndAddress;
    for (let n = 0; n < burst; n++) expect(await refuses(attempt)).toBe(false);
    const answer = await takeLogIn(db, attempt);
    expect(answer.ok || answer.retryAfter).toBeLessThanOrEqual(period / burst / 1000);
    expect(answer.ok).toBe(false);
  });

  it("is not fooled by another address of the same /64", async () => {
    const email = account();
    const ips = times(11, (n) => `2001:db8:ffff:1::${n + 1}`);
    const answers = [];
    for (const ip of ips) answers.push((await takeLogIn(db, { email, ip, device: null })).ok);
    expect(answers).toEqual([...times(10, () => true), false]);
  });

  it("refuses one place that guesses at many accounts", async () => {
    const ip = place();
    const attempt = () => ({ email: account(), ip, device: null });
    for (let n = 0; n < limits.logInPerAddress.burst; n++)
      expect(await refuses(attempt())).toBe(false);
    expect(await refuses(attempt())).toBe(true);
    expect(await refuses({ ...attempt(), ip: place() })).toBe(false);
  });

  it("slows an account that is guessed at from many places, and refuses nobody", async () => {
    const email = account();
    const attempt = () => timed({ email, ip: place(), device: null });
    for (let n = 0; n < limits.logInPerAccount.burst; n++)
      expect((await attempt()).took).toBeLessThan(logInDelay);
    const slowed = await Promise.all(times(5, attempt));
    for (const { ok, took } of slowed) {
      expect(ok).toBe(true);
      expect(took).toBeGreaterThanOrEqual(logInDelay - 50);
    }
  });

  it("lets the owner's device in at once, while strangers fail two hundred times", async () => {
    const [email, ip] = [account(), place()];
    for (let n = 0; n < 200; n++) await takeLogIn(db, { email, ip, device: null });
    const owner = await timed({ email, ip: place(), device: "a known device" });
    expect(owner.ok).toBe(true);
    expect(owner.took).toBeLessThan(logInDelay / 2);
    // Also from the very address that the guesses come from.
    expect(await refuses({ email, ip, device: "a known device" })).toBe(false);
    expect(await refuses({ email, ip, device: null })).toBe(true);
  });

  it("limits a known device too, by a count of its own", async () => {
    const email = account();
    const attempt = () => ({ email, ip: place(), device: "stolen" });
    for (let n = 0; n < limits.logInPerAccountAndDevice.burst; n++)
      expect(await refuses(attempt())).toBe(false);
    expect(await refuses(attempt())).toBe(true);
    expect(await refuses({ ...attempt(), device: "another" })).toBe(false);
  });

  it("limits those whose address is unknown, all together", async () => {
    const email = account();
    const attempt = { email, ip: null, device: null };
    for (let n = 0; n < limits.logInPerAccountAndAddress.burst; n++)
      expect(await refuses(attempt)).toBe(false);
    expect(await refuses(attempt)).toBe(true);
  });
});

describe("forgiveLogIn", () => {
  it("clears what the account's mistyped passwords had used up", async () => {
    const attempt = { email: account(), ip: place(), device: null };
    for (let n = 0; n < 10; n++) await takeLogIn(db, attempt);
    expect(await refuses(attempt)).toBe(true);
    await forgiveLogIn(db, attempt);
    expect(await refuses(attempt)).toBe(false);
  });

  it("clears the device's count", async () => {
    const attempt = { email: account(), ip: place(), device: "mine" };
    for (let n = 0; n < 10; n++) await takeLogIn(db, attempt);
    await forgiveLogIn(db, attempt);
    expect(await refuses(attempt)).toBe(false);
  });

  it("does not clear the place's: an account of one's own must not free it", async () => {
    const ip = place();
    for (let n = 0; n < limits.logInPerAddress.burst; n++)
      await takeLogIn(db, { email: account(), ip, device: null });
    await forgiveLogIn(db, { email: account(), ip, device: null });
    expect(await refuses({ email: account(), ip, device: null })).toBe(true);
  });

  it("does not clear another account's", async () => {
    const attempt = { email: account(), ip: place(), device: null };
    for (let n = 0; n < 10; n++) await takeLogIn(db, attempt);
    await forgiveLogIn(db, { ...attempt, email: account() });
    expect(await refuses(attempt)).toBe(true);
    expect((await sql`select from rate_limits`).length).toBeGreaterThan(0);
  });
});
