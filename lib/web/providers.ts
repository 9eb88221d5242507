import "server-only";
import { configuredProviders, type Provider } from "@/lib/auth/credentials/providers";
import { env } from "@/lib/env";

/* The providers that this deployment has, and their redirect URIs. */

export function providers(): Provider[] {
  return configuredProviders(env());
}

/** Returns the configured provider with the id in a path's segment, or undefined. */
export function findProvider(id: string): Provider | undefined {
  return providers().find((provider) => provider.id === id);
}

/**
 * Returns the redirect URI. Each provider has its own, so that one provider's answer is
 * never taken for another's.
 */
export function redirectUri({ id }: Provider): string {
  return `${env().APP_URL}/with/${id}/back`;
}
