import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { eq } from "drizzle-orm";
import { deviceCookiePolicy } from "@/lib/auth/policy";
import type { Db } from "@/lib/db/client";
import { users } from "@/lib/db/schema/users";

/*
 * Owns the cookie that remembers which accounts have logged in from this browser (OWASP: device
 * cookie). The security fact: it opens nothing. It spares a known browser the mail about a new device
 * and the limits that an attacker uses up; so each entry is an HMAC that only the server can make,
 * over the browser's id, the user's id and the account's device epoch. The epoch moves on with every
 * event after which an attacker's browser may be known (lib/auth/revocation.ts), and a user id never passes to
 * the next owner of an email.
 *
 * Value: 22 characters of browser id, then 22 per account, all base64url.
 */

/** An account as the cookie names it. */
export type DeviceAccount = { userId: string; deviceEpoch: number };

const ID = 22;

/** Plain http is only ever a developer's own machine. */
export function deviceCookieName(appUrl: string): string {
  return appUrl.startsWith("https:") ? "__Host-device" : "device";
}

/**
 * The browser's id if the account of this email knows it, else null. One query, whether or not the
 * email has an account; without a cookie none.
 */
export async function findKnownDevice(
  db: Db,
  value: string | undefined,
  email: string,
  secret: string,
): Promise<string | null> {
  if (!parse(value)) return null;
  const [account] = await db
    .select({ userId: users.id, deviceEpoch: users.deviceEpoch })
    .from(users)
    .where(eq(users.email, email));
  return knownDevice(value, account ?? noAccount, secret);
}

const noAccount: DeviceAccount = { userId: "", deviceEpoch: 0 };

/** The browser's id if it is known to this account, else null. */
export function knownDevice(
  value: string | undefined,
  account: DeviceAccount,
  secret: string,
): string | null {
  const device = parse(value);
  if (!device) return null;
  const expected = Buffer.from(tagOf(device.id, account, secret));
  const known = device.tags.some((tag) => timingSafeEqual(Buffer.from(tag), expected));
  return known ? device.id : null;
}

/** The cookie's next value, with this account in front and the oldest dropped. */
export function rememberAccount(
  value: string | undefined,
  account: DeviceAccount,
  secret: string,
): string {
  const device = parse(value) ?? { id: randomBytes(16).toString("base64url"), tags: [] };
  const tag = tagOf(device.id, account, secret);
  const tags = [tag, ...device.tags.filter((other) => other !== tag)];
  return [device.id, ...tags.slice(0, deviceCookiePolicy.accounts)].join("");
}

function parse(value: string | undefined): { id: string; tags: string[] } | null {
  if (!value || value.length > ID * (1 + deviceCookiePolicy.accounts)) return null;
  if (value.length % ID !== 0 || !/^[\w-]+$/.test(value)) return null;
  const [id = "", ...tags] = value.match(/.{22}/g) ?? [];
  return { id, tags };
}

function tagOf(id: string, { userId, deviceEpoch }: DeviceAccount, secret: string): string {
  return createHmac("sha256", secret)
    .update(`device\0${id}\0${userId}\0${deviceEpoch}`)
    .digest("base64url")
    .slice(0, ID);
}
