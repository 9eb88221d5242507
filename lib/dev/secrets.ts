import { createHash, generateKeyPairSync, randomBytes } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { given } from "@/lib/env";

const FILE = path.join(".data", "dev-secrets.json");

type Secrets = { AUTH_SECRET: string; JWT_PRIVATE_JWKS: string };

/**
 * The secrets of this checkout's development server, made at the first call and kept, so that a
 * restart ends nobody's session. What the environment gives comes first.
 */
export async function devSecrets(): Promise<Secrets> {
  const kept = (await readKept()) ?? (await makeKept());
  return {
    AUTH_SECRET: given("AUTH_SECRET") ?? kept.AUTH_SECRET,
    JWT_PRIVATE_JWKS: given("JWT_PRIVATE_JWKS") ?? kept.JWT_PRIVATE_JWKS,
  };
}

async function readKept(): Promise<Secrets | undefined> {
  const text = await readFile(FILE, "utf8").catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    throw new Error(`${FILE} is damaged. Delete it; new development secrets will be made.`);
  }
}

async function makeKept(): Promise<Secrets> {
  const secrets: Secrets = {
    AUTH_SECRET: randomBytes(32).toString("base64url"),
    JWT_PRIVATE_JWKS: JSON.stringify({ keys: [privateJwk()] }),
  };
  await mkdir(path.dirname(FILE), { recursive: true, mode: 0o700 });
  await writeFile(FILE, `${JSON.stringify(secrets, null, 2)}\n`, { mode: 0o600, flag: "wx" });
  return secrets;
}

/** The key's name is its thumbprint (RFC 7638): the required members, in this order. */
export function privateJwk(): Record<string, unknown> {
  const jwk = generateKeyPairSync("ed25519").privateKey.export({ format: "jwk" });
  const required = JSON.stringify({ crv: jwk.crv, kty: jwk.kty, x: jwk.x });
  const kid = createHash("sha256").update(required).digest("base64url");
  return { ...jwk, kid, alg: "EdDSA", use: "sig" };
}
