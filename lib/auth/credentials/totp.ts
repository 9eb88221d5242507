import { createHmac, timingSafeEqual } from "node:crypto";
import { twoFactorPolicy } from "@/lib/auth/policy";

/*
 * Computes and compares the codes of authenticator apps (RFC 6238: SHA-1, 6 digits, 30 seconds,
 * which all apps support). Pure. Security: a comparison returns the step of the code, so that its
 * caller can record the step and refuse the same code the next time.
 */

const { period, digits, drift } = twoFactorPolicy.totp;

/** Returns the steps whose codes are accepted at `now` (seconds since 1970, of the database). */
function acceptedSteps(now: number): number[] {
  const step = Math.floor((now * 1000) / period);
  return Array.from({ length: 2 * drift + 1 }, (_, index) => step - drift + index);
}

/** Returns the newest accepted step later than `lastStep` whose code this is, or null. */
export function matchingStep(
  secret: Buffer,
  typed: string,
  now: number,
  lastStep: number,
): number | null {
  const code = Buffer.from(typed.replace(/\s/g, ""));
  const matches = acceptedSteps(now).filter((step) => {
    const expected = Buffer.from(codeAt(secret, step));
    return expected.length === code.length && timingSafeEqual(expected, code);
  });
  return matches.filter((step) => step > lastStep).at(-1) ?? null;
}

/** Returns the code of a step: RFC 4226, 5.3, with the step as counter. */
export function codeAt(secret: Buffer, step: number): string {
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(step));
  const mac = createHmac("sha1", secret).update(counter).digest();
  const offset = (mac.at(-1) ?? 0) & 15;
  const number = mac.readUInt32BE(offset) & 0x7fffffff;
  return String(number % 10 ** digits).padStart(digits, "0");
}

/** Encodes bytes as in RFC 4648, without padding, for apps that cannot scan the QR code. */
export function base32(bytes: Buffer): string {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, "0")).join("");
  const groups = bits.match(/.{1,5}/g) ?? [];
  return groups.map((group) => alphabet[Number.parseInt(group.padEnd(5, "0"), 2)]).join("");
}

/** Returns the URI that the QR code contains. */
export function otpauthUri(secret: Buffer, issuer: string, account: string): string {
  const label = `${encodeURIComponent(issuer)}:${encodeURIComponent(account)}`;
  return `otpauth://totp/${label}?secret=${base32(secret)}&issuer=${encodeURIComponent(issuer)}`;
}
