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
 * Signs and verifies access tokens. Security: algorithm, type, issuer, audience and the list of
 * keys are ours and are never taken from the token; and a token alone is valid for ten minutes.
 * Where its session or key can be looked up, it is (bearer.ts).
 *
 * Pure, so that another service can copy this file. It then verifies with
 * `createRemoteJWKSet(new URL("/.well-known/jwks.json", issuer))` of jose instead of our own keys.
 */

/** The user of a token, and what it was issued for: the session of an app, or an API key. */
export type AccessClaims = {
  /** The user's id. */
  sub: string;
  role: "user" | "admin";
  /** The session's id, in tokens for an app that a user logged in to. */
  sid?: string;
  /** How the user proved their identity, and when, in seconds since 1970. */
  amr?: string[];
  auth_time?: number;
  /**
   * The API key's id and its scopes, separated by spaces, in tokens that a key was exchanged for.
   */
  client_id?: string;
  scope?: string;
};

/** `exp`: when the token expires, in seconds since 1970. */
export type VerifiedClaims = AccessClaims & { exp: number };

const ALGORITHM = "EdDSA";
const TYPE = "at+jwt"; // RFC 9068: no other kind of JWT can pass for an access token

export type SigningKeys = { kid: string; sign: CryptoKey; verify: JWTVerifyGetKey };

/** Imports JWT_PRIVATE_JWKS: the first key signs, all verify. */
export async function importSigningKeys(privateJwks: string): Promise<SigningKeys> {
  const { keys } = JSON.parse(privateJwks) as { keys: JWK[] }; // lib/env.ts has checked it
  const [first] = keys;
  const sign = first && (await importJWK(first, ALGORITHM));
  if (!first?.kid || !sign || sign instanceof Uint8Array)
    throw new Error("importSigningKeys: the set holds no private key; see `npm run keys:new`.");
  return { kid: first.kid, sign, verify: createLocalJWKSet(publicJwks(privateJwks)) };
}

/** Returns the public part of the keys, for /.well-known/jwks.json. */
export function publicJwks(privateJwks: string): { keys: JWK[] } {
  const { keys } = JSON.parse(privateJwks) as { keys: JWK[] };
  return {
    // An allow list: a key may hold private members that this code does not know.
    keys: keys.map(({ kty, crv, x, kid }) => ({ kty, crv, x, kid, alg: ALGORITHM, use: "sig" })),
  };
}

/**
 * Signs a token. `lifetime` is in milliseconds. `audience` is the one service that may accept the
 * token: our own API by default.
 */
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
 * Returns the claims of a token that is signed by one of these keys, made for `audience` (our own
 * API by default) and not expired, or null. Does not check that its session or key is still live.
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
    // Without a `kid`, jose accepts a signature by the only key in a set. The payload is signed by
    // us, so it has the shape of our claims.
    return protectedHeader.kid ? (payload as VerifiedClaims) : null;
  } catch (error) {
    // After a timeout or a network error in fetching the keys, the token may be valid: throw.
    if (error instanceof errors.JOSEError && !(error instanceof errors.JWKSTimeout)) return null;
    throw error;
  }
}
