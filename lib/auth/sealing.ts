import { createCipheriv, createDecipheriv, createHash, randomBytes } from "node:crypto";

/*
 * Encrypts secrets that must be read again: AES-256-GCM with a key that is not in the database.
 * Security: a sealed secret opens only for the user that it was sealed for, so a copy in another
 * user's row cannot be read. Change with it: lib/commands/keys-rotate.ts.
 *
 * Format: version 1, key id (4 bytes of the key's SHA-256), nonce (12), ciphertext, tag (16).
 */

/** The first key seals; every key opens. */
export type SealingKeys = { id: Buffer; key: Buffer }[];

const VERSION = 1;
const HEADER = 1 + 4 + 12;

/** Parses ENCRYPTION_KEYS: keys of 32 bytes in base64url, separated by commas. */
export function parseSealingKeys(text: string): SealingKeys {
  return text.split(",").map((each) => {
    const key = Buffer.from(each.trim(), "base64url");
    return { id: createHash("sha256").update(key).digest().subarray(0, 4), key };
  });
}

/** Seals a secret. `open` requires the same `purpose` and `userId`. */
export function seal(keys: SealingKeys, purpose: string, userId: string, secret: Buffer): Buffer {
  const [first] = keys;
  if (!first) throw new Error("seal: there is no key.");
  const nonce = randomBytes(12);
  const cipher = createCipheriv("aes-256-gcm", first.key, nonce).setAAD(aad(purpose, userId));
  const sealed = [cipher.update(secret), cipher.final(), cipher.getAuthTag()];
  return Buffer.concat([Buffer.of(VERSION), first.id, nonce, ...sealed]);
}

/**
 * Opens a sealed secret. Returns null if its key is not among `keys`, if it was sealed for another
 * user or purpose, or if its bytes were changed.
 */
export function open(
  keys: SealingKeys,
  purpose: string,
  userId: string,
  sealed: Buffer,
): Buffer | null {
  const key = keys.find(({ id }) => id.equals(sealedWith(sealed)))?.key;
  if (!key || sealed[0] !== VERSION || sealed.length < HEADER + 16) return null;
  const decipher = createDecipheriv("aes-256-gcm", key, sealed.subarray(5, HEADER), {
    authTagLength: 16,
  });
  decipher.setAAD(aad(purpose, userId)).setAuthTag(sealed.subarray(-16));
  try {
    return Buffer.concat([decipher.update(sealed.subarray(HEADER, -16)), decipher.final()]);
  } catch {
    return null;
  }
}

/** Returns the id of the key that a secret was sealed with. */
export function sealedWith(sealed: Buffer): Buffer {
  return sealed.subarray(1, 5);
}

function aad(purpose: string, userId: string): Buffer {
  return Buffer.from(`${purpose}\0${userId}`);
}
