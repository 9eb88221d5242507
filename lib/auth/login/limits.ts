import { setTimeout as sleep } from "node:timers/promises";
import type { Db } from "@/lib/db/client";
import { consume, type LimitName, network, resetLimits, site } from "@/lib/rate-limits";
import { countLogInAttempt, needsConfirmedBrowser, resetLogInAttempts } from "./attempts";

/*
 * Owns how often a login may be tried. The security fact: guessing is limited per network, per
 * account and network, and per account over all networks (attempts.ts). No attacker can lock
 * an owner out: a known browser of the account has a count of its own, and any other browser of
 * the owner's gets in by a mailed link. For codes only a known browser that has logged in with a
 * second factor or a passkey has one, since a mailed link is no second factor.
 */

/** `browser`: its id, if it is a known browser of the account. */
export type LogInTry = { email: string; ip: string | null; browser: string | null };

export type ConsumeLogIn =
  | { ok: true }
  | { ok: false; reason: "limited" /** In seconds. */; retryAfter: number }
  /** Redeeming a link of purpose "confirm-browser" opens the account to this browser again. */
  | { ok: false; reason: "browser-unconfirmed" };

/**
 * Counts one try; call it before the password is checked. Waits up to `logInPolicy.longestWait`
 * while others try the same account. What a network's limits refuse is not counted against the
 * account, so that a flood from one network does not block the account's other browsers.
 */
export async function consumeLogIn(db: Db, attempt: LogInTry): Promise<ConsumeLogIn> {
  const { email, browser } = attempt;
  if (browser) return consumeAll(db, [["logInPerAccountAndBrowser", email, browser]]);
  // Before anything is counted: at such an account a try costs one read.
  if (await needsConfirmedBrowser(db, email)) return { ok: false, reason: "browser-unconfirmed" };
  const { ip } = attempt;
  const place = await consumeAll(db, [...networkCounts(ip), ...accountCounts(attempt)]);
  if (!place.ok) return place;
  const account = await countLogInAttempt(db, email);
  if (!account.ok) return account;
  await sleep(account.wait);
  return { ok: true };
}

/**
 * After a right password: the account's counts go. The network's stay, or one account of the
 * attacker's own would free it. A success on a known browser clears that browser's count alone: it
 * does not show who made the failures on other browsers, and would allow an attacker 100 more.
 */
export async function resetLogInLimits(db: Db, attempt: LogInTry): Promise<void> {
  const { email, browser } = attempt;
  if (browser) return resetLimits(db, [["logInPerAccountAndBrowser", email, browser]]);
  await resetLimits(db, accountCounts(attempt));
  await resetLogInAttempts(db, email);
}

/**
 * Counts one code of an authenticator app, before it is compared. `source`: a known browser that has
 * logged in with a second factor or a passkey, or the session of a user who confirms; it has a count of
 * its own, so that an attacker who uses up the user's does not lock the owner out. All other browsers and
 * apps share one. A success clears neither.
 */
export async function consumeCode(
  db: Db,
  userId: string,
  source: string | null,
): Promise<ConsumeCode> {
  const subject = source ? [userId, source] : [userId];
  for (const name of ["secondFactor", "secondFactorPerDay"] as const) {
    const taken = await consume(db, name, ...subject);
    if (!taken.ok) return { ok: false, reason: "limited", retryAfter: taken.retryAfter };
  }
  return { ok: true };
}

export type ConsumeCode = { ok: true } | { ok: false; reason: "limited"; retryAfter: number };

type Count = [LimitName, ...string[]];

function networkCounts(ip: string | null): Count[] {
  const prefix = site(ip);
  return [["logInPerAddress", network(ip)], ...(prefix ? [["logInPerSite", prefix] as Count] : [])];
}

function accountCounts({ email, ip }: LogInTry): Count[] {
  const prefix = site(ip);
  return [
    ["logInPerAccountAndAddress", email, network(ip)],
    ...(prefix ? [["logInPerAccountAndSite", email, prefix] as Count] : []),
  ];
}

/** One after the other, up to the first that refuses. */
async function consumeAll(db: Db, counts: Count[]): Promise<ConsumeLogIn> {
  for (const count of counts) {
    const taken = await consume(db, ...count);
    if (!taken.ok) return { ok: false, reason: "limited", retryAfter: taken.retryAfter };
  }
  return { ok: true };
}
