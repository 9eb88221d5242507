import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";
import type { WaysHere } from "@/lib/auth/credentials/last-way-in";
import { findHandle, insertPasskey } from "@/lib/auth/credentials/passkeys";
import { type Asked, newChallenge, type PasskeySite } from "@/lib/auth/credentials/webauthn";
import type { Db } from "@/lib/db/client";

/* A passkey in software: a private key, and the responses that a browser would send. */

/** The site that passkeys of unit tests are bound to. It has no identity provider. */
export const site: PasskeySite & WaysHere = {
  issuers: [],
  origin: "https://app.example.com",
  rpId: "app.example.com",
  secret: "dGVzdC1zZWNyZXQtdGVzdC1zZWNyZXQtdGVzdC1zZWNyZXQ",
};

/** Values in a response that differ from a correct one. */
export type Lies = {
  origin?: string;
  rpId?: string;
  challenge?: string;
  type?: string;
  /** If false, the authenticator has not asked for a fingerprint or PIN. */
  userVerified?: boolean;
  userPresent?: boolean;
  signCount?: number;
  backedUp?: boolean;
  handle?: Buffer | null;
  credentialId?: Buffer;
  aaguid?: string;
  /** Signs with a different key. */
  forged?: boolean;
};

export type SoftPasskey = {
  credentialId: Buffer;
  handle: Buffer;
  /** In COSE format. */
  publicKey: Buffer;
  /** The response to the page that creates the passkey. */
  made(asked: Asked, lies?: Lies): string;
  /** The response to a page that asks for the passkey. */
  used(asked: Asked, lies?: Lies): string;
};

export function softPasskey(of: PasskeySite = site, handle = randomBytes(32)): SoftPasskey {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const credentialId = randomBytes(32);

  const clientData = (type: string, asked: Asked, lies: Lies) => {
    const challenge = lies.challenge ?? newChallenge(of.secret, asked);
    const origin = lies.origin ?? of.origin;
    return Buffer.from(JSON.stringify({ type: lies.type ?? type, challenge, origin }));
  };
  const authenticatorData = (lies: Lies, attested?: Buffer) => {
    const flags =
      (lies.userPresent === false ? 0 : 0x01) |
      (lies.userVerified === false ? 0 : 0x04) |
      0x08 |
      (lies.backedUp === false ? 0 : 0x10) |
      (attested ? 0x40 : 0);
    const counter = Buffer.alloc(4);
    counter.writeUInt32BE(lies.signCount ?? 0);
    const rpIdHash = sha256(Buffer.from(lies.rpId ?? of.rpId));
    return Buffer.concat([rpIdHash, Buffer.from([flags]), counter, attested ?? Buffer.alloc(0)]);
  };

  return {
    credentialId,
    handle,
    publicKey: coseKey(publicKey),
    made(asked, lies = {}) {
      const id = lies.credentialId ?? credentialId;
      const length = Buffer.alloc(2);
      length.writeUInt16BE(id.length);
      const aaguid = Buffer.from((lies.aaguid ?? "0".repeat(32)).replaceAll("-", ""), "hex");
      const attested = Buffer.concat([aaguid, length, id, coseKey(publicKey)]);
      const data = authenticatorData(lies, attested);
      return JSON.stringify({
        id: id.toString("base64url"),
        clientDataJSON: clientData("webauthn.create", asked, lies).toString("base64url"),
        attestationObject: attestation(data).toString("base64url"),
        transports: ["internal"],
      });
    },
    used(asked, lies = {}) {
      const client = clientData("webauthn.get", asked, lies);
      const data = authenticatorData(lies);
      const key = lies.forged
        ? generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey
        : privateKey;
      const named = lies.handle === undefined ? handle : lies.handle;
      return JSON.stringify({
        id: (lies.credentialId ?? credentialId).toString("base64url"),
        clientDataJSON: client.toString("base64url"),
        authenticatorData: data.toString("base64url"),
        signature: sign("sha256", Buffer.concat([data, sha256(client)]), key).toString("base64url"),
        userHandle: named?.toString("base64url") ?? null,
      });
    },
  };
}

/** Inserts a passkey of this user. Ends no session and sends no mail. */
export async function addSoftPasskey(
  db: Db,
  user: { id: string },
  of: PasskeySite = site,
  signCount = 0,
): Promise<SoftPasskey & { id: string }> {
  const handle = Buffer.from(await findHandle(db, user.id), "base64url");
  const passkey = softPasskey(of, handle);
  const made = {
    ...{ credentialId: passkey.credentialId, publicKey: passkey.publicKey, signCount },
    ...{ transports: ["internal"], aaguid: "00000000-0000-0000-0000-000000000000" },
    ...{ backupEligible: true, backedUp: true },
  };
  const inserted = await insertPasskey(db, user.id, made, of.rpId);
  if (typeof inserted === "string") throw new Error(`addSoftPasskey: ${inserted}`);
  return { ...passkey, id: inserted.id };
}

function sha256(data: Buffer): Buffer {
  return createHash("sha256").update(data).digest();
}

/** Encodes an ES256 public key in COSE. */
function coseKey(publicKey: KeyObject): Buffer {
  const { x = "", y = "" } = publicKey.export({ format: "jwk" });
  return Buffer.concat([
    Buffer.from("a5010203262001215820", "hex"),
    Buffer.from(x, "base64url"),
    Buffer.from("225820", "hex"),
    Buffer.from(y, "base64url"),
  ]);
}

/** Encodes `{ fmt: "none", attStmt: {}, authData }` in CBOR. */
function attestation(authData: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(authData.length);
  return Buffer.concat([
    Buffer.from([0xa3, 0x63]),
    Buffer.from("fmt"),
    Buffer.from([0x64]),
    Buffer.from("none"),
    Buffer.from([0x67]),
    Buffer.from("attStmt"),
    Buffer.from([0xa0, 0x68]),
    Buffer.from("authData"),
    Buffer.from([0x59]),
    length,
    authData,
  ]);
}
