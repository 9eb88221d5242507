import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { deviceCookiePolicy } from "./policy";

/*
 * Owns the cookie that remembers which accounts have logged in from this browser. The security fact:
 * it opens nothing. It spares a known device two things, the mail about a new one and the limits
 * that strangers use up, so each entry is an HMAC that only we can make. OWASP calls it a device
 * cookie.
 *
 * Value: 22 characters of device id, then 22 per account, all base64url.
 */

const ID = 22;

/** Plain http is only ever a developer's own machine. */
export function deviceCookieName(appUrl: string): string {
  return appUrl.startsWith("https:") ? "__Host-device" : "device";
}

/** The device's id if it has logged in to this account before, else null. */
export function knownDevice(
  value: string | undefined,
  email: string,
  secret: string,
): string | null {
  const device = parse(value);
  if (!device) return null;
  const expected = Buffer.from(tagOf(device.id, email, secret));
  const known = device.tags.some((tag) => timingSafeEqual(Buffer.from(tag), expected));
  return known ? device.id : null;
}

/** The cookie's next value, with this account in front and the oldest dropped. */
export function rememberAccount(value: string | undefined, email: string, secret: string): string {
  const device = parse(value) ?? { id: randomBytes(16).toString("base64url"), tags: [] };
  const tag = tagOf(device.id, email, secret);
  const tags = [tag, ...device.tags.filter((other) => other !== tag)];
  return [device.id, ...tags.slice(0, deviceCookiePolicy.accounts)].join("");
}

function parse(value: string | undefined): { id: string; tags: string[] } | null {
  if (!value || value.length > ID * (1 + deviceCookiePolicy.accounts)) return null;
  if (value.length % ID !== 0 || !/^[\w-]+$/.test(value)) return null;
  const [id = "", ...tags] = value.match(/.{22}/g) ?? [];
  return { id, tags };
}

function tagOf(id: string, email: string, secret: string): string {
  return createHmac("sha256", secret)
    .update(`device\0${id}\0${email}`)
    .digest("base64url")
    .slice(0, ID);
}
