import { randomBytes } from "node:crypto";
import { product } from "@/lib/product";

/*
 * Owns what an API key looks like: the prefix of lib/product.ts, 32 random characters, and the
 * CRC-32 of those in 6 more. The security fact: the checksum is no secret and proves nothing. It
 * tells a key from a typing error without a query, and the prefix lets scanners of repositories find
 * one that leaked.
 */

const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

const start = product.apiKeyPrefix;
const randomLength = 32; // 190 bits
const checksumLength = 6; // the least that holds 32 bits in base 62

/** Goes to its owner once, and nowhere else. What is stored is `hashToken` of it. */
export function newApiKey(): string {
  const random = randomBase62(randomLength);
  return start + random + checksum(random);
}

/** Whether this can be a key. Everything else is refused before any query. */
export function isApiKey(value: unknown): value is string {
  const [, random, sum] = typeof value === "string" ? (shape.exec(value) ?? []) : [];
  return random !== undefined && checksum(random) === sum;
}

const shape = new RegExp(`^${start}([0-9A-Za-z]{32})([0-9A-Za-z]{6})$`);

/** Enough to tell one's keys apart; 166 random bits stay unsaid. */
export function visiblePrefix(key: string): string {
  return key.slice(0, start.length + 4);
}

/** Bytes from 248 on are thrown away: 256 is no multiple of 62, and some characters would be likelier. */
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

/** As in zlib, PNG and Ethernet; node:zlib has it only from 20.15 and 22.2 on. */
export function crc32(text: string): number {
  let crc = 0xffffffff;
  for (const byte of Buffer.from(text)) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return (crc ^ 0xffffffff) >>> 0;
}
