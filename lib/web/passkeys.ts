import "server-only";
import { type Asked, newChallenge, type PasskeySite } from "@/lib/auth/credentials/webauthn";
import { env } from "@/lib/env";

/* What passkeys are bound to here, and the challenges of the pages that ask for one. */

export function passkeySite(): PasskeySite {
  const { APP_URL: origin, AUTH_SECRET: secret, PASSKEY_RP_ID } = env();
  return { origin, secret, rpId: PASSKEY_RP_ID ?? new URL(origin).hostname };
}

/** What a page gives its passkey button; also the next one, in the answer of an action. */
export function passkeyChallenge(asked: Asked): { rpId: string; challenge: string } {
  const { secret, rpId } = passkeySite();
  return { rpId, challenge: newChallenge(secret, asked) };
}
