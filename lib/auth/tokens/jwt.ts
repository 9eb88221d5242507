import { randomUUID } from "node:crypto";
import {
  createLocalJWKSet,
  errors,
  importJWK,
  type JWK,
  type JWTPayload,
  type JWTVerifyGetKey,
  jwtVerify,
  SignJWT,
} from "jose";

/*
 * Owns access tokens: what they say, how they are signed and verified. The security fact: algorithm,
 * type, issuer, audience and the list of keys are ours and never the token's own word, and a token
 * alone is valid for ten minutes; where its session or key can be looked up, it is (bearer.ts).
 *
 * Pure, so that another service can take this file along. It then verifies with
 * `createRemoteJWKSet(new URL("/.well-known/jwks.json", issuer))` of jose instead of our own keys.
 */

/** Whose it is, and by what: the session of an app, or an API key. */
export type AccessClaims = {
  /** The user's id. */
  sub: string;
  role: "user" | "admin";
  /** The session's id; of tokens that an app logged in for. */
  sid?: string;
  /** How the user proved who they are, and when, in seconds since 1970. */
  amr?: string[];
  auth_time?: number;
  /** The API key's id and what it allows, with spaces; of tokens that a key was exchanged for. */
  client_id?: string;
  scope?: string;
};

/** `exp`: when the token expires, in seconds since 1970. */
export type VerifiedClaims = AccessClaims & { exp: number };

const ALGORITHM = "EdDSA";
const TYPE = "at+jwt"; // RFC 9068: no other kind of JWT can pass for an access token

export type SigningKeys = { kid: string; sign: CryptoKey; verify: JWTVerifyGetKey };

/** From JWT_PRIVATE_JWKS: the first key signs, all verify. */
export async function importSigningKeys(privateJwks: string): Promise<SigningKeys> {
  const { keys } = JSON.parse(privateJwks) as { keys: JWK[] }; // lib/env.ts has checked it
  const [first] = keys;
  const sign = first && (await importJWK(first, ALGORITHM));
  if (!first?.kid || !sign || sign instanceof Uint8Array)
    throw new Error("importSigningKeys: the set holds no private key; see `npm run keys:new`.");
  return { kid: first.kid, sign, verify: createLocalJWKSet(publicJwks(privateJwks)) };
}

/** The public part of the keys, for /.well-known/jwks.json. */
export function publicJwks(privateJwks: string): { keys: JWK[] } {
  const { keys } = JSON.parse(privateJwks) as { keys: JWK[] };
  return {
    // An allow list: a key may hold private members that this code does not know.
    keys: keys.map(({ kty, crv, x, kid }) => ({ kty, crv, x, kid, alg: ALGORITHM, use: "sig" })),
  };
}

/** `lifetime` in milliseconds. `audience` is the one service that may accept the token: our own API by default. */
export async function signAccessToken(
  { kid, sign }: SigningKeys,
  issuer: string,
  { sub, ...claims }: AccessClaims,
  lifetime: number,
  audience: string = issuer,
): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  return new SignJWT(claims as JWTPayload)
    .setProtectedHeader({ alg: ALGORITHM, typ: TYPE, kid })
    .setIssuer(issuer)
    .setAudience(audience)
    .setSubject(sub)
    .setJti(randomUUID())
    .setIssuedAt(now)
    .setExpirationTime(now + lifetime / 1000)
    .sign(sign);
}

/**
 * The claims of a token that is signed by one of these keys, made for `audience` (our own API by
 * default) and not expired, or null. Does not tell whether its session or key is still live.
 */
export async function verifyAccessToken(
  keys: JWTVerifyGetKey,
  issuer: string,
  token: string,
  audience: string = issuer,
): Promise<VerifiedClaims | null> {
  try {
    const { payload, protectedHeader } = await jwtVerify(token, keys, {
      algorithms: [ALGORITHM],
      typ: TYPE,
      issuer,
      audience,
      requiredClaims: ["sub", "exp", "iat", "jti", "role"],
    });
    // Without a `kid`, jose accepts a signature of the only key in a set.
    return protectedHeader.kid ? (payload as VerifiedClaims) : null; // signed by us, so of our shape
  } catch (error) {
    // A set of keys that cannot be fetched is no fault of the token.
    if (error instanceof errors.JOSEError && !(error instanceof errors.JWKSTimeout)) return null;
    throw error;
  }
}
