import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import { needsConfirmedBrowser } from "@/lib/auth/login/attempts";
import { consumeLogIn, type LogInTry, resetLogInLimits } from "@/lib/auth/login/limits";
import { logInPolicy } from "@/lib/auth/policy";
import { limits } from "@/lib/rate-limits";
import { db, sql } from "@/tests/support/database";
import { failLogIns } from "@/tests/support/users";

const account = () => `${randomUUID()}@example.com`;
let used = 0;
/** An IP address in a /48 that no other test uses. */
const place = () => `2001:db8:${(++used).toString(16)}::1`;
const unconfirmed = { ok: false, reason: "browser-unconfirmed" };

const refuses = async (attempt: LogInTry) => !(await consumeLogIn(db, attempt)).ok;

/**
 * Repeats the attempt until it is refused. Returns how many passed. Frees the account's turns
 * before each attempt.
 */
async function useUp(attempt: (n: number) => LogInTry): Promise<number> {
  for (let n = 0; ; n++) {
    const next = attempt(n);
    await sql`update log_in_attempts set tat = now()
      where email_hash = sha256(${next.email}::text::bytea)`;
    if (await refuses(next)) return n;
  }
}

async function failuresOf(email: string): Promise<number> {
  const [row] = await sql<{ failures: number }[]>`
    select failures from log_in_attempts where email_hash = sha256(${email}::text::bytea)`;
  return row?.failures ?? 0;
}

describe("consumeLogIn", () => {
  it("refuses the eleventh guess at one account from one IP address, and returns the wait", async () => {
    const attempt = { email: account(), ip: place(), browser: null };
    const { burst, period } = limits.logInPerAccountAndAddress;
    expect(await useUp(() => attempt)).toBe(burst);
    const answer = await consumeLogIn(db, attempt);
    if (answer.ok || answer.reason !== "limited") throw new Error("This was not refused.");
    expect(answer.retryAfter).toBeLessThanOrEqual(period / burst / 1000);
  });

  it("counts all IP addresses of one /64 as one", async () => {
    const email = account();
    const passed = await useUp((n) => ({ email, ip: `2001:db8:ffff:1::${n + 1}`, browser: null }));
    expect(passed).toBe(limits.logInPerAccountAndAddress.burst);
  });

  it("limits one account from all /64 of one /48 together, and not from the next /48", async () => {
    const email = account();
    const from = (n: number, last = "fffe") => ({
      ...{ email, browser: null },
      ip: `2001:db8:${last}:${n.toString(16)}::1`,
    });
    expect(await useUp((n) => from(n))).toBe(limits.logInPerAccountAndSite.burst);
    expect(await refuses(from(0, "fffd"))).toBe(false);
  });

  it("refuses one IP address that guesses at many accounts", async () => {
    const ip = place();
    const attempt = () => ({ email: account(), ip, browser: null });
    expect(await useUp(attempt)).toBe(limits.logInPerAddress.burst);
    expect(await refuses({ ...attempt(), ip: place() })).toBe(false);
  });

  it("refuses one /48 that guesses at many accounts from many /64", async () => {
    const from = (n: number) => ({
      ...{ email: account(), browser: null },
      ip: `2001:db8:fffc:${n.toString(16)}::1`,
    });
    for (let n = 0; n < 3; n++) expect(await refuses(from(n))).toBe(false);
    // As if the whole burst had been used.
    await sql`update rate_limits set tat = now() + ${limits.logInPerSite.period / 1000} * interval '1 second'
      where key like 'logInPerSite:%'`;
    expect(await refuses(from(0xffff))).toBe(true);
    expect(await refuses({ ...from(0), ip: place() })).toBe(false);
  });

  it("does not count tries that a network's limit refuses against the account", async () => {
    const [email, ip] = [account(), place()];
    await useUp(() => ({ email: account(), ip, browser: null }));
    for (let n = 0; n < 30; n++) expect(await refuses({ email, ip, browser: null })).toBe(true);
    expect(await failuresOf(email)).toBe(0);
    const [other, here] = [account(), place()];
    for (let n = 0; n < 30; n++) await consumeLogIn(db, { email: other, ip: here, browser: null });
    expect(await failuresOf(other)).toBe(limits.logInPerAccountAndAddress.burst);
  });

  it("refuses a try whose turn is too late, from any network, and counts nothing", async () => {
    const email = account();
    await failLogIns(db, email, 1);
    await sql`update log_in_attempts set tat = now() + interval '1 hour'
      where email_hash = sha256(${email}::text::bytea)`;
    const answer = await consumeLogIn(db, { email, ip: place(), browser: null });
    expect(answer).toMatchObject({ ok: false, reason: "limited" });
    expect(await failuresOf(email)).toBe(1);
  });

  it("requires a confirmed browser after too many failures in a row, and counts nothing more", async () => {
    const [email, ip] = [account(), place()];
    await failLogIns(db, email, logInPolicy.failures);
    const before = (await sql`select from rate_limits`).length;
    for (let n = 0; n < 20; n++)
      expect(await consumeLogIn(db, { email, ip, browser: null })).toEqual(unconfirmed);
    expect(await sql`select from rate_limits`).toHaveLength(before);
    expect(await failuresOf(email)).toBe(logInPolicy.failures);
  });

  it("lets the owner's known browser in, while attackers use up all other limits", async () => {
    const [email, ip] = [account(), place()];
    await useUp(() => ({ email, ip, browser: null }));
    expect((await consumeLogIn(db, { email, ip: place(), browser: "a known browser" })).ok).toBe(
      true,
    );
    // Even from the IP address of the guesses.
    expect(await refuses({ email, ip, browser: "a known browser" })).toBe(false);
    expect(await refuses({ email, ip, browser: null })).toBe(true);
    await failLogIns(db, email, logInPolicy.failures);
    expect(await refuses({ email, ip, browser: "a known browser" })).toBe(false);
    expect(await refuses({ email, ip: place(), browser: null })).toBe(true);
  });

  it("limits a known browser too, by a separate count", async () => {
    const email = account();
    const attempt = () => ({ email, ip: place(), browser: "stolen" });
    expect(await useUp(attempt)).toBe(limits.logInPerAccountAndBrowser.burst);
    expect(await refuses({ ...attempt(), browser: "another" })).toBe(false);
    expect(await failuresOf(email)).toBe(0);
  });

  it("limits all unknown IP addresses together", async () => {
    const attempt = { email: account(), ip: null, browser: null };
    expect(await useUp(() => attempt)).toBe(limits.logInPerAccountAndAddress.burst);
  });
});

describe("resetLogInLimits", () => {
  it("resets the limits that mistyped passwords had used up", async () => {
    const attempt = { email: account(), ip: place(), browser: null };
    await useUp(() => attempt);
    await resetLogInLimits(db, attempt);
    expect(await failuresOf(attempt.email)).toBe(0);
    expect(await refuses(attempt)).toBe(false);
  });

  it("resets the limits of other /64 in the same /48", async () => {
    const email = account();
    const from = (n: number) => ({ email, ip: `2001:db8:fffb:${n}::1`, browser: null });
    await useUp(from);
    await resetLogInLimits(db, from(1));
    expect(await refuses(from(99))).toBe(false);
  });

  it("resets the known browser's count", async () => {
    const attempt = { email: account(), ip: place(), browser: "mine" };
    await useUp(() => attempt);
    await resetLogInLimits(db, attempt);
    expect(await refuses(attempt)).toBe(false);
  });

  it("keeps the failures of other browsers after a success on a known browser", async () => {
    const [email, ip] = [account(), place()];
    await failLogIns(db, email, logInPolicy.failures);
    await resetLogInLimits(db, { email, ip, browser: "mine" });
    expect(await needsConfirmedBrowser(db, email)).toBe(true);
    expect(await consumeLogIn(db, { email, ip, browser: null })).toEqual(unconfirmed);
  });

  it("does not reset an IP address's limit: attackers could log in to their own account", async () => {
    const ip = place();
    const attempt = () => ({ email: account(), ip, browser: null });
    await useUp(attempt);
    await resetLogInLimits(db, attempt());
    expect(await refuses(attempt())).toBe(true);
  });

  it("does not reset another account's limits", async () => {
    const attempt = { email: account(), ip: place(), browser: null };
    await useUp(() => attempt);
    const before = await failuresOf(attempt.email);
    await resetLogInLimits(db, { ...attempt, email: account() });
    expect(await refuses(attempt)).toBe(true);
    expect(await failuresOf(attempt.email)).toBe(before);
  });
});
