import "server-only";
import type { Route } from "next";
import { headers } from "next/headers";
import { redirect } from "next/navigation";
import { after } from "next/server";
import { cache } from "react";
import { getSession, type Session, touchSession } from "@/lib/auth/sessions/lookup";
import { database } from "@/lib/db/client";
import { ownPath } from "@/lib/http";
import { noteSession } from "@/lib/request-log";
import { getTeamSession, type TeamSession } from "@/lib/teams/lookup";
import { deleteSessionCookie, presentedToken } from "./cookies";
import { currentClient, redirectIfUnreachable } from "./request";

/*
 * Looks up the session, once per request, and guards pages and actions. Security: every page,
 * action and handler calls a guard itself; no layout and no proxy does it for them.
 */

/**
 * Returns the session of this request, or null; below /t/<handle>, with that team. A render makes
 * one query, however many components call this. Inside an action, `cache` does not remember the
 * result: call it once at the top and pass the session on.
 */
export const currentSession = cache(async (): Promise<Session | TeamSession | null> => {
  const token = await presentedToken();
  if (!token) return null;
  const [handle, client] = [await handleInPath(), await currentClient()];
  const found = handle
    ? getTeamSession(database(), token, handle, client)
    : getSession(database(), token, client);
  const session = await found.catch(redirectIfUnreachable);
  noteSession(session?.id);
  if (session?.touchDue) after(() => touchSession(database(), session));
  return session;
});

/**
 * Returns the team's handle in the path, from the header that lib/incoming.ts or proxy.ts sets. It
 * only selects what the lookup reads and proves nothing.
 */
async function handleInPath(): Promise<string | undefined> {
  const path = (await headers()).get("x-path") ?? "";
  return /^\/t\/([a-z0-9]{10})(?![^/?])/.exec(path)?.[1];
}

/**
 * For pages and actions of logged-in users. Other visitors log in first and come back to `path`.
 */
export async function requireSession(path: Route): Promise<Session> {
  const session = await currentSession();
  // An action may have built the path from what a form sent.
  const back = ownPath(path, "/dashboard");
  if (!session) redirect(`/login?next=${encodeURIComponent(back)}`);
  return session;
}

/**
 * Deletes the session cookie unless its session is still live. Called after a mailed link has ended
 * sessions: the link's user and this browser's user need not be the same.
 */
export async function deleteEndedSessionCookie(): Promise<void> {
  if (!(await currentSession())) await deleteSessionCookie();
}
