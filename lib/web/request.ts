import "server-only";
import { headers } from "next/headers";
import { redirect } from "next/navigation";
import { isUnreachable } from "@/lib/db/client";
import { env } from "@/lib/env";
import type { Client } from "@/lib/http";
import { clientAddress, isSameOrigin } from "@/lib/http";

/*
 * Owns what a request is asked before anything else: whether it comes from a page of this site, where
 * it comes from, and where it goes when the database does not answer.
 */

/**
 * The first line of every action: throws, before anything is done, when another site's page sent
 * the request. proxy.ts answers such requests with 403 earlier; this holds without it.
 */
export async function requireSameOrigin(): Promise<void> {
  const { APP_URL, production } = env();
  if (isSameOrigin(await headers(), APP_URL, !production)) return;
  throw new Error("Refused: this request does not come from a page of this site.");
}

/** Where this request comes from, for audit rows and the device list. */
export async function currentClient(): Promise<Client> {
  const received = await headers();
  return {
    ip: clientAddress(received, env().TRUSTED_PROXY_HOPS),
    userAgent: received.get("user-agent")?.slice(0, 512) ?? null,
  };
}

/**
 * For the `catch` of what a request asks the database first. Without its database Next can only send
 * an empty document and let a script draw error.tsx; so the browser is sent to a page that needs
 * neither, and that leads back.
 */
export async function redirectIfUnreachable(error: unknown): Promise<never> {
  if (!isUnreachable(error)) throw error;
  console.error("The database does not answer:", error);
  redirect(`/unavailable?next=${encodeURIComponent((await headers()).get("x-path") ?? "/")}`);
}
