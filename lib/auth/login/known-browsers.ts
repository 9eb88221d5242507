import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { eq } from "drizzle-orm";
import { browserCookiePolicy } from "@/lib/auth/policy";
import type { Db } from "@/lib/db/client";
import { users } from "@/lib/db/schema/users";

/*
 * Makes and checks the cookie that remembers which accounts have logged in from this browser
 * (OWASP: device cookie). Security: the cookie grants no access. It only spares a known browser the
 * mail about a new device and the limits that an attacker can exhaust. Each entry is an HMAC that
 * only the server can make, over the browser's id, the user's id and the account's browser epoch.
 * The epoch is incremented by every event after which an attacker's browser may be known
 * (lib/auth/revocation.ts), and a user id never passes to the next owner of an email. An entry also
 * records whether the browser has logged in with a second factor or a passkey. Only such a browser
 * has its own count for codes: a mailed link makes any browser known, so an attacker who reads the
 * mailbox would get a new count with each link.
 *
 * Value: 22 characters of browser id, then 22 per account, all base64url.
 */

/** An account as the cookie identifies it. */
export type BrowserAccount = { userId: string; browserEpoch: number };

/** `strong`: the browser has logged in to the account with a second factor or a passkey. */
export type KnownBrowser = { id: string; strong: boolean };

const ID = 22;

/**
 * Returns the cookie's name. Plain http is used only on a developer's own machine. The name, the
 * labels of `tagOf` and the column `device_epoch` keep the word "device": with another name, no
 * browser would be known any more.
 */
export function browserCookieName(appUrl: string): string {
  return appUrl.startsWith("https:") ? "__Host-device" : "device";
}

/**
 * Returns the browser if it is known to the account with this email, else null. Makes one query,
 * whether or not the email has an account, and none without a cookie.
 */
export async function findKnownBrowser(
  db: Db,
  value: string | undefined,
  email: string,
  secret: string,
): Promise<KnownBrowser | null> {
  if (!parse(value)) return null;
  const [account] = await db
    .select({ userId: users.id, browserEpoch: users.browserEpoch })
    .from(users)
    .where(eq(users.email, email));
  return knownBrowser(value, account ?? noAccount, secret);
}

const noAccount: BrowserAccount = { userId: "", browserEpoch: 0 };

/** Returns the browser if it is known to this account, else null. */
export function knownBrowser(
  value: string | undefined,
  account: BrowserAccount,
  secret: string,
): KnownBrowser | null {
  const parsed = parse(value);
  if (!parsed) return null;
  const { id, tags } = parsed;
  const has = (label: Label) => {
    const expected = Buffer.from(tagOf(label, id, account, secret));
    return tags.some((tag) => timingSafeEqual(Buffer.from(tag), expected));
  };
  const strong = has("strong-device");
  return strong || has("device") ? { id, strong } : null;
}

/**
 * Returns the cookie's next value, with this account first and the oldest entries beyond the limit
 * dropped. `strong`: the login used a second factor or a passkey. A strong entry stays strong after
 * any other login.
 */
export function rememberAccount(
  value: string | undefined,
  account: BrowserAccount,
  secret: string,
  strong = false,
): string {
  const { id, tags } = parse(value) ?? { id: randomBytes(16).toString("base64url"), tags: [] };
  const weakTag = tagOf("device", id, account, secret);
  const strongTag = tagOf("strong-device", id, account, secret);
  const others = tags.filter((tag) => tag !== weakTag && tag !== strongTag);
  const next = [strong || tags.includes(strongTag) ? strongTag : weakTag, ...others];
  return [id, ...next.slice(0, browserCookiePolicy.accounts)].join("");
}

function parse(value: string | undefined): { id: string; tags: string[] } | null {
  if (!value || value.length > ID * (1 + browserCookiePolicy.accounts)) return null;
  if (value.length % ID !== 0 || !/^[\w-]+$/.test(value)) return null;
  const [id = "", ...tags] = value.match(/.{22}/g) ?? [];
  return { id, tags };
}

/** An account has one tag: "strong-device" replaces "device". */
type Label = "device" | "strong-device";

function tagOf(
  label: Label,
  id: string,
  { userId, browserEpoch }: BrowserAccount,
  secret: string,
): string {
  return createHmac("sha256", secret)
    .update(`${label}\0${id}\0${userId}\0${browserEpoch}`)
    .digest("base64url")
    .slice(0, ID);
}
