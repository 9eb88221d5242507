import { generateKeyPairSync } from "node:crypto";
import { createLocalJWKSet, exportJWK, importJWK, type JWK, SignJWT, UnsecuredJWT } from "jose";
import { describe, expect, it } from "vitest";
import {
  type AccessClaims,
  importSigningKeys,
  publicJwks,
  signAccessToken,
  verifyAccessToken,
} from "@/lib/auth/tokens/jwt";
import { privateJwk } from "@/lib/dev/secrets";
import { minutes } from "@/lib/time";

const issuer = "https://app.example.com";
const claims: AccessClaims = { sub: "u", role: "user", sid: "s", amr: ["pwd"], auth_time: 1 };
const [first, second] = [privateJwk(), privateJwk()];
const jwks = JSON.stringify({ keys: [first, second] });
const keys = await importSigningKeys(jwks);

const verify = (token: string) => verifyAccessToken(keys.verify, issuer, token);

/** Returns a token that equals ours except for the given changes. */
async function forge(
  change: {
    header?: Record<string, unknown>;
    payload?: Record<string, unknown>;
    key?: CryptoKey | Uint8Array | JWK;
    expires?: number;
  } = {},
): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  const payload = {
    ...{ iss: issuer, aud: issuer, iat: now, jti: "j", exp: change.expires ?? now + 600 },
    ...{ ...claims, ...change.payload },
  };
  const header = { alg: "EdDSA", typ: "at+jwt", kid: first?.kid, ...change.header };
  const key = change.key ?? (await importJWK(first as JWK, "EdDSA"));
  return new SignJWT(payload).setProtectedHeader(header as { alg: string }).sign(key);
}

const foreign = generateKeyPairSync("ed25519");

describe("verifyAccessToken", () => {
  it("accepts a token of signAccessToken, with the promised claims and header", async () => {
    const token = await signAccessToken(keys, issuer, claims, minutes(10));
    const payload = await verify(token);
    expect(payload).toMatchObject({ ...claims, iss: issuer, aud: issuer, jti: expect.any(String) });
    const { exp = 0, iat = 0 } = payload as { exp?: number; iat?: number };
    expect(exp - iat).toBe(600);
    const header = JSON.parse(Buffer.from(`${token.split(".")[0]}`, "base64url").toString());
    expect(header).toEqual({ alg: "EdDSA", typ: "at+jwt", kid: first?.kid });
  });

  it("accepts the forgery helper's token if nothing is forged", async () => {
    expect(await verify(await forge())).toMatchObject(claims);
  });

  const refused: Record<string, () => Promise<string> | string> = {
    "alg none": () =>
      new UnsecuredJWT({ ...claims, jti: "j" })
        .setIssuer(issuer)
        .setAudience(issuer)
        .setIssuedAt()
        .setExpirationTime("10 m")
        .encode(),
    "HS256 with the public key as its secret": async () => {
      const [published] = publicJwks(jwks).keys;
      const secret = Buffer.from(`${published?.x}`, "base64url");
      return forge({ header: { alg: "HS256" }, key: secret });
    },
    "HS256 with the published JSON as its secret": () =>
      forge({ header: { alg: "HS256" }, key: Buffer.from(JSON.stringify(publicJwks(jwks))) }),
    "a foreign key": async () =>
      forge({ key: await importJWK(await exportJWK(foreign.privateKey), "EdDSA") }),
    "a foreign key that it brings along": async () => {
      const jwk = await exportJWK(foreign.publicKey);
      const key = await importJWK(await exportJWK(foreign.privateKey), "EdDSA");
      return forge({ header: { jwk, kid: "mine" }, key });
    },
    "a set of keys that it points at": async () => {
      const key = await importJWK(await exportJWK(foreign.privateKey), "EdDSA");
      return forge({ header: { jku: "https://evil.example/jwks.json", kid: "mine" }, key });
    },
    "an unknown key's name": () => forge({ header: { kid: "unknown" } }),
    "no key's name": () => forge({ header: { kid: undefined } }),
    "the name of another key of the set": () => forge({ header: { kid: second?.kid } }),
    "another type": () => forge({ header: { typ: "JWT" } }),
    "no type": () => forge({ header: { typ: undefined } }),
    "another issuer": () => forge({ payload: { iss: "https://evil.example" } }),
    "another audience": () => forge({ payload: { aud: "https://other.example" } }),
    "no audience": () => forge({ payload: { aud: undefined } }),
    "no subject": () => forge({ payload: { sub: undefined } }),
    "an end that has come": () => forge({ expires: Math.floor(Date.now() / 1000) - 1 }),
    "no end": () => forge({ payload: { exp: undefined } }),
    "a beginning that has not": () =>
      forge({ payload: { nbf: Math.floor(Date.now() / 1000) + 60 } }),
    "another payload": async () => {
      const [header, , signature] = (await forge()).split(".");
      const payload = Buffer.from(JSON.stringify({ ...claims, role: "admin" })).toString(
        "base64url",
      );
      return [header, payload, signature].join(".");
    },
    "nothing of a token": () => "a.b.c",
    "a session's id": () => "0d7a3c55-31c6-4f0f-9c39-0f0a1f4f7b1e",
  };

  it.each(Object.entries(refused))("refuses %s", async (_, make) => {
    expect(await verify(await make())).toBeNull();
  });

  // jose would use the only key of a set even if the token names none.
  it("refuses a token without a kid, even if the set has only one key", async () => {
    const alone = await importSigningKeys(JSON.stringify({ keys: [first] }));
    const withoutKid = await forge({ header: { kid: undefined } });
    expect(await verifyAccessToken(alone.verify, issuer, await forge())).toMatchObject(claims);
    expect(await verifyAccessToken(alone.verify, issuer, withoutKid)).toBeNull();
  });

  it("accepts a token for another audience only if that audience is expected", async () => {
    const reports = "https://reports.example.com";
    const token = await signAccessToken(keys, issuer, claims, minutes(10), reports);
    expect(await verifyAccessToken(keys.verify, issuer, token, reports)).toMatchObject({
      ...{ ...claims, iss: issuer, aud: reports },
    });
    expect(await verify(token)).toBeNull();
    for (const other of [`${reports}/`, "https://billing.example.com", ""])
      expect(await verifyAccessToken(keys.verify, issuer, token, other)).toBeNull();
    const own = await signAccessToken(keys, issuer, claims, minutes(10));
    expect(await verifyAccessToken(keys.verify, issuer, own, reports)).toBeNull();
  });

  it("accepts a token of every key of the set, and signs with the first", async () => {
    const other = await importSigningKeys(JSON.stringify({ keys: [second] }));
    const token = await signAccessToken(other, issuer, claims, minutes(10));
    expect(await verify(token)).toMatchObject(claims);
    expect(keys.kid).toBe(first?.kid);
    const own = await signAccessToken(keys, issuer, claims, minutes(10));
    expect(await verifyAccessToken(other.verify, issuer, own)).toBeNull();
  });
});

describe("publicJwks", () => {
  it("contains the public parts, and nothing that signs", async () => {
    const published = publicJwks(jwks);
    expect(published.keys).toHaveLength(2);
    for (const key of published.keys)
      expect(Object.keys(key).sort()).toEqual(["alg", "crv", "kid", "kty", "use", "x"]);
    const token = await signAccessToken(keys, issuer, claims, minutes(10));
    expect(await verifyAccessToken(createLocalJWKSet(published), issuer, token)).toMatchObject(
      claims,
    );
  });

  it("omits unknown members", () => {
    const odd = JSON.stringify({ keys: [{ ...first, k: "secret", note: "hello" }] });
    expect(JSON.stringify(publicJwks(odd))).not.toMatch(/secret|hello|"d"/);
  });
});
