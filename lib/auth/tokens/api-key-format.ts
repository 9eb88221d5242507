import { randomBytes } from "node:crypto";
import { product } from "@/lib/product";

/*
 * The format of an API key: a prefix from lib/product.ts, which tells a user's key from a team's,
 * 32 random characters, and the CRC-32 of those in 6 more. Security: the checksum is not secret and
 * proves nothing. It detects a typing error without a query, and the prefix lets scanners of
 * repositories find a leaked key.
 */

const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

const prefixes = { user: product.apiKeyPrefix, team: product.teamKeyPrefix };

/** Which table has the key: lib/auth/tokens/api-keys.ts, or lib/teams/keys.ts. */
export type KeyOwner = keyof typeof prefixes;

const randomLength = 32; // 190 bits
const checksumLength = 6; // the fewest digits that hold 32 bits in base 62

/** Creates a key. Only its owner receives it, and only once; what is stored is its `hashToken`. */
export function newApiKey(owner: KeyOwner): string {
  const random = randomBase62(randomLength);
  return prefixes[owner] + random + checksum(random);
}

/** Reports whether a value looks like a key of this owner. Others are rejected before any query. */
export function isApiKey(owner: KeyOwner, value: unknown): value is string {
  const [, random, sum] = typeof value === "string" ? (shapes[owner].exec(value) ?? []) : [];
  return random !== undefined && checksum(random) === sum;
}

const shapeAfter = (prefix: string) => new RegExp(`^${prefix}([0-9A-Za-z]{32})([0-9A-Za-z]{6})$`);
const shapes = { user: shapeAfter(prefixes.user), team: shapeAfter(prefixes.team) };

/** Returns enough of a key to tell an owner's keys apart; 166 random bits stay secret. */
export function visiblePrefix(key: string): string {
  return key.slice(0, 4 - randomLength - checksumLength);
}

/**
 * Discards bytes from 248 on: 256 is not a multiple of 62, so some characters would be likelier.
 */
function randomBase62(length: number): string {
  let text = "";
  while (text.length < length)
    for (const byte of randomBytes(length - text.length))
      if (byte < 248) text += alphabet[byte % 62];
  return text;
}

function checksum(text: string): string {
  let rest = crc32(text);
  let digits = "";
  for (let i = 0; i < checksumLength; i++) {
    digits = alphabet[rest % 62] + digits;
    rest = Math.floor(rest / 62);
  }
  return digits;
}

/** The CRC-32 of zlib, PNG and Ethernet; node:zlib has it only from 20.15 and 22.2 on. */
export function crc32(text: string): number {
  let crc = 0xffffffff;
  for (const byte of Buffer.from(text)) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return (crc ^ 0xffffffff) >>> 0;
}
