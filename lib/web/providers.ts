import "server-only";
import { configuredProviders, type Provider } from "@/lib/auth/credentials/providers";
import { env } from "@/lib/env";

/* Owns which providers this deployment has, and where they send a browser back to. */

export function providers(): Provider[] {
  return configuredProviders(env());
}

/** The configured provider of a path's segment, or undefined. */
export function findProvider(id: string): Provider | undefined {
  return providers().find((provider) => provider.id === id);
}

/** One per provider, so that no provider's answer is taken for another's. */
export function redirectUri({ id }: Provider): string {
  return `${env().APP_URL}/with/${id}/back`;
}
