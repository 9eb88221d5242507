import "server-only";
import type { WaysHere } from "@/lib/auth/credentials/last-way-in";
import { passkeySite } from "./passkeys";
import { providers } from "./providers";

/* Says which ways to log in work in this deployment, for lib/auth/credentials/last-way-in.ts. */

export function waysHere(): WaysHere {
  return { rpId: passkeySite().rpId, issuers: providers().map(({ issuer }) => issuer) };
}
