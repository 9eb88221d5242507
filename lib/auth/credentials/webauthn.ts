import { createHash, createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { z } from "zod";
import { passkeyPolicy } from "@/lib/auth/policy";

/*
 * Issues challenges, and reads the answers of a browser's passkeys (WebAuthn). This is the only
 * file that imports @simplewebauthn/server, and only at the first use, because the import takes a
 * second. Security: a challenge names its purpose and context (a session, a link) under a MAC, so
 * that an answer to one page is refused by every other; and the authenticator has to verify the
 * user, so that a passkey is two factors. passkeys.ts ensures that a challenge counts once, and
 * checks the counter.
 */

/** What passkeys of this deployment are bound to. `secret` signs the challenges. */
export type PasskeySite = { origin: string; rpId: string; secret: string };

/** The page that asked, and the session or link that it asked for. "log-in" has no context. */
export type Asked = { purpose: "register" | "sign-up" | "log-in" | "confirm"; context: string };

/** Returns a challenge for a page. Nothing is stored: it is signed and contains its time. */
export function newChallenge(secret: string, asked: Asked): string {
  const time = Buffer.alloc(6);
  time.writeUIntBE(Date.now(), 0, 6);
  const body = Buffer.concat([randomBytes(16), time]);
  return Buffer.concat([body, mac(secret, asked, body)]).toString("base64url");
}

/** `hash` is what is stored of a used challenge. */
export type ReadChallenge =
  | { ok: true; hash: Buffer }
  | { ok: false; reason: "incorrect" | "expired" };

/** Checks the challenge of an answer, before anything else of the answer is checked. */
function readChallenge(secret: string, asked: Asked, clientDataJSON: string): ReadChallenge {
  const challenge = challengeOf(clientDataJSON);
  const body = challenge.subarray(0, 22);
  if (challenge.length !== 38 || !timingSafeEqual(challenge.subarray(22), mac(secret, asked, body)))
    return { ok: false, reason: "incorrect" };
  if (Date.now() - body.readUIntBE(16, 6) > passkeyPolicy.challenge)
    return { ok: false, reason: "expired" };
  return { ok: true, hash: createHash("sha256").update(challenge).digest() };
}

function mac(secret: string, { purpose, context }: Asked, body: Buffer): Buffer {
  const hmac = createHmac("sha256", secret).update(`passkey\0${purpose}\0${context}\0`);
  return hmac.update(body).digest().subarray(0, 16);
}

function challengeOf(clientDataJSON: string): Buffer {
  try {
    const { challenge } = clientData.parse(JSON.parse(decode(clientDataJSON).toString()));
    return decode(challenge);
  } catch {
    return Buffer.alloc(0);
  }
}

/**
 * Returns the handle for a user who signs up with this link: the browser needs it before there is a
 * user. It is always the same for one link, so that a second try replaces the passkey of the first.
 */
export function handleOfSignUp(secret: string, token: string): Buffer {
  return createHmac("sha256", secret).update(`passkey-handle\0${token}`).digest();
}

// ES256 and RS256, which authenticators have. Ed25519 warns on Node 20.9.
export const algorithms = [-7, -257];

/** A passkey as a browser created it. */
export type NewPasskey = {
  credentialId: Buffer;
  publicKey: Buffer;
  signCount: number;
  transports: string[];
  aaguid: string;
  backupEligible: boolean;
  backedUp: boolean;
};

export type ReadRegistration =
  | { ok: true; passkey: NewPasskey; challenge: Buffer }
  | { ok: false; reason: "incorrect" | "expired" };

/** Returns the new passkey of an answer, if one of our pages asked for it. */
export async function readRegistration(
  site: PasskeySite,
  answer: string,
  asked: Asked,
): Promise<ReadRegistration> {
  const sent = parse(registration, answer);
  if (!sent) return { ok: false, reason: "incorrect" };
  const challenge = readChallenge(site.secret, asked, sent.clientDataJSON);
  if (!challenge.ok) return challenge;
  const { verifyRegistrationResponse } = await import("@simplewebauthn/server");
  const { registrationInfo: info } = await verifyRegistrationResponse({
    response: { ...envelope(sent.id), response: sent },
    ...expected(site),
    supportedAlgorithmIDs: algorithms,
  }).catch(refused);
  if (!info) return { ok: false, reason: "incorrect" };
  const { credential, aaguid, credentialDeviceType, credentialBackedUp } = info;
  const passkey = {
    credentialId: decode(credential.id),
    publicKey: Buffer.from(credential.publicKey),
    signCount: credential.counter,
    transports: sent.transports,
    aaguid,
    backupEligible: credentialDeviceType === "multiDevice",
    backedUp: credentialBackedUp,
  };
  return { ok: true, passkey, challenge: challenge.hash };
}

/** An answer whose signature is not checked yet: `verify` does, with the passkey's public key. */
export type Assertion = {
  credentialId: Buffer;
  /** The handle of the passkey's user, by the answer's own claim. */
  handle: Buffer;
  challenge: Buffer;
  verify(publicKey: Buffer): Promise<{ signCount: number; backedUp: boolean } | null>;
};

export type ReadAssertion =
  | { ok: true; assertion: Assertion }
  | { ok: false; reason: "incorrect" | "expired" };

export function readAssertion(site: PasskeySite, answer: string, asked: Asked): ReadAssertion {
  const sent = parse(authentication, answer);
  if (!sent) return { ok: false, reason: "incorrect" };
  const challenge = readChallenge(site.secret, asked, sent.clientDataJSON);
  if (!challenge.ok) return challenge;
  const assertion: Assertion = {
    credentialId: decode(sent.id),
    handle: decode(sent.userHandle ?? ""),
    challenge: challenge.hash,
    async verify(publicKey) {
      const { verifyAuthenticationResponse } = await import("@simplewebauthn/server");
      const { verified, authenticationInfo: info } = await verifyAuthenticationResponse({
        response: { ...envelope(sent.id), response: { ...sent, userHandle: undefined } },
        ...expected(site),
        // Zero, so that the library does not check the counter: a statement in passkeys.ts does.
        credential: { id: sent.id, publicKey: Uint8Array.from(publicKey), counter: 0 },
      }).catch(refused);
      if (!verified || !info) return null;
      return { signCount: info.newCounter, backedUp: info.credentialBackedUp };
    },
  };
  return { ok: true, assertion };
}

function expected({ origin, rpId }: PasskeySite) {
  return {
    expectedChallenge: () => true, // `readChallenge` has checked it
    expectedOrigin: origin,
    expectedRPID: rpId,
    requireUserVerification: true,
  };
}

/** The library throws for every wrong answer, and only the message says what is wrong with it. */
function refused(): { verified: false; registrationInfo?: never; authenticationInfo?: never } {
  return { verified: false };
}

function envelope(id: string) {
  return { id, rawId: id, type: "public-key" as const, clientExtensionResults: {} };
}

const base64url = z.string().regex(/^[\w-]*$/);
const credentialId = base64url.min(1).max(1364); // 1023 bytes
const clientData = z.object({ challenge: base64url });
const registration = z.object({
  id: credentialId,
  clientDataJSON: base64url,
  attestationObject: base64url,
  transports: z.array(z.string().regex(/^[a-z-]{1,32}$/)).max(8),
});
const authentication = z.object({
  id: credentialId,
  clientDataJSON: base64url,
  authenticatorData: base64url,
  signature: base64url,
  userHandle: base64url.nullable(),
});

function parse<T>(schema: z.ZodType<T>, answer: string): T | undefined {
  try {
    return schema.safeParse(JSON.parse(answer)).data;
  } catch {
    return undefined;
  }
}

function decode(text: string): Buffer {
  return Buffer.from(text, "base64url");
}
