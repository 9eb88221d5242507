import { createHash, generateKeyPairSync, randomBytes } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { readVariable } from "@/lib/env";

/*
 * Creates and stores the secrets of a development server, so that `npm run dev` needs no
 * configuration. Security: only the file's owner can read it, and production never reads it.
 */

const FILE = path.join(".data", "dev-secrets.json");

type Secrets = { AUTH_SECRET: string; JWT_PRIVATE_JWKS: string; ENCRYPTION_KEYS: string };

/**
 * Returns the secrets of this checkout's development server. They are created at the first call and
 * stored in a file, so that sessions survive a restart. Variables that are set take precedence.
 */
export async function devSecrets(): Promise<Secrets> {
  const stored = await readOrCreate();
  return {
    AUTH_SECRET: readVariable("AUTH_SECRET") ?? stored.AUTH_SECRET,
    JWT_PRIVATE_JWKS: readVariable("JWT_PRIVATE_JWKS") ?? stored.JWT_PRIVATE_JWKS,
    ENCRYPTION_KEYS: readVariable("ENCRYPTION_KEYS") ?? stored.ENCRYPTION_KEYS,
  };
}

/** Reads or creates the stored secrets. Adds those that the file of an earlier version lacks. */
async function readOrCreate(): Promise<Secrets> {
  const stored = await readFromFile();
  const secrets = { ...newSecrets(), ...stored };
  if (Object.keys(secrets).every((name) => stored && name in stored)) return secrets;
  await mkdir(path.dirname(FILE), { recursive: true, mode: 0o700 });
  await writeFile(FILE, `${JSON.stringify(secrets, null, 2)}\n`, {
    mode: 0o600,
    flag: stored ? "w" : "wx",
  });
  return secrets;
}

async function readFromFile(): Promise<Partial<Secrets> | undefined> {
  const text = await readFile(FILE, "utf8").catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    throw new Error(`${FILE} is damaged. Delete it; new development secrets will be created.`);
  }
}

function newSecrets(): Secrets {
  return {
    AUTH_SECRET: randomBytes(32).toString("base64url"),
    JWT_PRIVATE_JWKS: JSON.stringify({ keys: [privateJwk()] }),
    ENCRYPTION_KEYS: randomBytes(32).toString("base64url"),
  };
}

/**
 * Creates a private Ed25519 key. Its `kid` is its thumbprint (RFC 7638): a hash of the required
 * members, in this order.
 */
export function privateJwk(): Record<string, unknown> {
  const jwk = generateKeyPairSync("ed25519").privateKey.export({ format: "jwk" });
  const required = JSON.stringify({ crv: jwk.crv, kty: jwk.kty, x: jwk.x });
  const kid = createHash("sha256").update(required).digest("base64url");
  return { ...jwk, kid, alg: "EdDSA", use: "sig" };
}
