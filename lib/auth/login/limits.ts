import { setTimeout as sleep } from "node:timers/promises";
import type { Db } from "@/lib/db/client";
import { consume, type LimitName, network, resetLimits, site } from "@/lib/rate-limits";
import { countLogInAttempt, needsConfirmedBrowser, resetLogInAttempts } from "./attempts";

/*
 * Limits how often a login may be tried. Security: guessing is limited per network, per account and
 * network, and per account over all networks (attempts.ts). No attacker can lock an owner out: each
 * known browser of the account has its own count, and any other browser of the owner gets in by a
 * mailed link. For codes, only a known browser that has logged in with a second factor or a passkey
 * has its own count, because a mailed link is no second factor.
 */

/** `browser`: the browser's id if it is known to the account, else null. */
export type LogInTry = { email: string; ip: string | null; browser: string | null };

export type ConsumeLogIn =
  | { ok: true }
  | { ok: false; reason: "limited" /** In seconds. */; retryAfter: number }
  /** Redeeming a link of purpose "confirm-browser" lets this browser try the account again. */
  | { ok: false; reason: "browser-unconfirmed" };

/**
 * Counts one try. Call it before the password is checked. Waits up to `logInPolicy.longestWait`
 * while other callers try the same account. A try that a network's limit refuses is not counted
 * against the account, so a flood from one network does not block the account's other browsers.
 */
export async function consumeLogIn(db: Db, attempt: LogInTry): Promise<ConsumeLogIn> {
  const { email, browser } = attempt;
  if (browser) return consumeAll(db, [["logInPerAccountAndBrowser", email, browser]]);
  // Checked before anything is counted, so that a try at a blocked account costs one read.
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
 * Resets the account's counts after a right password. The network's counts stay: otherwise an
 * attacker could reset them by logging in to an account of their own. A login from a known browser
 * resets only that browser's count: it does not show who caused the failures on other browsers, and
 * resetting those would allow an attacker 100 more.
 */
export async function resetLogInLimits(db: Db, attempt: LogInTry): Promise<void> {
  const { email, browser } = attempt;
  if (browser) return resetLimits(db, [["logInPerAccountAndBrowser", email, browser]]);
  await resetLimits(db, accountCounts(attempt));
  await resetLogInAttempts(db, email);
}

/**
 * Counts one code of an authenticator app, before it is compared. `source` is a known browser that
 * has logged in with a second factor or a passkey, or the session of a user who confirms. Each
 * source has its own count, so that an attacker who exhausts the user's shared count does not lock
 * the owner out. All other browsers and apps share one count. A success resets neither.
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

/** Consumes the counts in order, and stops at the first that refuses. */
async function consumeAll(db: Db, counts: Count[]): Promise<ConsumeLogIn> {
  for (const count of counts) {
    const taken = await consume(db, ...count);
    if (!taken.ok) return { ok: false, reason: "limited", retryAfter: taken.retryAfter };
  }
  return { ok: true };
}
