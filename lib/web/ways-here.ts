import "server-only";
import type { WaysHere } from "@/lib/auth/credentials/last-way-in";
import { passkeySite } from "./passkeys";
import { providers } from "./providers";

/* The ways to log in that work in this deployment, for lib/auth/credentials/last-way-in.ts. */

export function waysHere(): WaysHere {
  return { rpId: passkeySite().rpId, issuers: providers().map(({ issuer }) => issuer) };
}
