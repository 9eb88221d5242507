import "server-only";
import { type Asked, newChallenge, type PasskeySite } from "@/lib/auth/credentials/webauthn";
import { env } from "@/lib/env";

/* The site that passkeys are bound to, and the challenges for pages that ask for a passkey. */

export function passkeySite(): PasskeySite {
  const { APP_URL: origin, AUTH_SECRET: secret, PASSKEY_RP_ID } = env();
  return { origin, secret, rpId: PASSKEY_RP_ID ?? new URL(origin).hostname };
}

/** Returns what a passkey button needs. An action's answer carries it for the next attempt. */
export function passkeyChallenge(asked: Asked): { rpId: string; challenge: string } {
  const { secret, rpId } = passkeySite();
  return { rpId, challenge: newChallenge(secret, asked) };
}
