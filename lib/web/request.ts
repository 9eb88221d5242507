import "server-only";
import { headers } from "next/headers";
import { redirect } from "next/navigation";
import { isUnreachable } from "@/lib/db/client";
import { env } from "@/lib/env";
import type { Client } from "@/lib/http";
import { clientAddress, isSameOrigin } from "@/lib/http";

/*
 * What is checked first in a request: whether a page of this site sent it, which client it comes
 * from, and where to redirect it when the database does not answer.
 */

/**
 * Called on the first line of every action. Throws if another site's page sent the request.
 * proxy.ts already answers such requests with 403; this check does not depend on it.
 */
export async function requireSameOrigin(): Promise<void> {
  const { APP_URL, production } = env();
  if (isSameOrigin(await headers(), APP_URL, !production)) return;
  throw new Error("Refused: this request does not come from a page of this site.");
}

/** Returns where this request comes from, for audit rows and the device list. */
export async function currentClient(): Promise<Client> {
  const received = await headers();
  return {
    ip: clientAddress(received, env().TRUSTED_PROXY_HOPS),
    userAgent: received.get("user-agent")?.slice(0, 512) ?? null,
  };
}

/**
 * For the `catch` of a request's first query. If the database does not answer, Next can only send
 * an empty document and let a script draw error.tsx. So this redirects to a page that needs neither
 * the database nor a script, and that leads back. Rethrows any other error.
 */
export async function redirectIfUnreachable(error: unknown): Promise<never> {
  if (!isUnreachable(error)) throw error;
  console.error("The database does not answer:", error);
  redirect(`/unavailable?next=${encodeURIComponent((await headers()).get("x-path") ?? "/")}`);
}
