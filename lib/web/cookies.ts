import "server-only";
import { cookies, headers } from "next/headers";
import {
  type BrowserAccount,
  browserCookieName,
  findKnownBrowser,
  type KnownBrowser,
  rememberAccount,
} from "@/lib/auth/login/known-browsers";
import { findPendingLogin, type PendingLogin } from "@/lib/auth/login/pending-logins";
import { browserCookiePolicy, providerPolicy, twoFactorPolicy } from "@/lib/auth/policy";
import { isToken, newToken } from "@/lib/auth/secrets";
import { cookieMaxAge, readSessionToken, sessionCookie } from "@/lib/auth/sessions/cookie";
import { database } from "@/lib/db/client";
import { env } from "@/lib/env";
import { redirectIfUnreachable } from "./request";

/*
 * Reads and writes the cookies of sessions, pending logins, visits to a provider, known browsers
 * and drafts. Security: the session cookie is written only at login, at a confirmation and at a
 * change of the ways to log in, and deleted only when its session has ended, such as at logout. A
 * lookup that finds no session leaves the cookie alone, so that a slow request with an old token
 * cannot erase the new one.
 */

/** Sets the session cookie. Call it only in actions and route handlers, before any redirect. */
export async function setSessionCookie(token: string, persistent: boolean): Promise<void> {
  const { name, attributes } = sessionCookie(env().APP_URL);
  (await cookies()).set(name, token, { ...attributes, maxAge: cookieMaxAge(persistent) });
}

/**
 * Deletes the session cookie, and the draft cookie with what this user typed. The caller ends the
 * session's row first.
 */
export async function deleteSessionCookie(): Promise<void> {
  const { name, attributes } = sessionCookie(env().APP_URL);
  const jar = await cookies();
  jar.set(name, "", { ...attributes, maxAge: 0 });
  if (jar.has(draftCookie())) jar.set(draftCookie(), "", { ...attributes, maxAge: 0 });
}

/**
 * Returns the well-formed token that this browser sent, live or not; null if it sent none, or two.
 * If this request's action has set a new token, the page rendered in its response gets that one.
 */
export async function presentedToken(): Promise<string | null> {
  const { name } = sessionCookie(env().APP_URL);
  const sent = readSessionToken((await headers()).get("cookie"), name);
  const current = (await cookies()).get(name)?.value;
  return sent && current && current !== sent && isToken(current) ? current : sent;
}

/**
 * Sets the cookie of a pending login; null deletes it. It gives access only to the pages that ask
 * for the second factor.
 */
export async function setPendingCookie(token: string | null): Promise<void> {
  const { attributes } = sessionCookie(env().APP_URL);
  const jar = await cookies();
  const maxAge = twoFactorPolicy.pendingLogin / 1000;
  if (token !== null) jar.set(pendingCookie(), token, { ...attributes, maxAge });
  else if (jar.has(pendingCookie())) jar.set(pendingCookie(), "", { ...attributes, maxAge: 0 });
}

export async function presentedPending(): Promise<string | null> {
  return readSessionToken((await headers()).get("cookie"), pendingCookie());
}

/** Returns this browser's pending login if it can still be finished, else null. */
export async function currentPendingLogin(): Promise<PendingLogin | null> {
  const token = await presentedPending();
  return token ? findPendingLogin(database(), token).catch(redirectIfUnreachable) : null;
}

function pendingCookie(): string {
  return env().APP_URL.startsWith("https:") ? "__Host-login" : "login";
}

/**
 * Returns the token that binds visits to a provider, and sign-ups that begin with one,
 * to this browser. All its tabs share one token. Creates the cookie if there is none,
 * and renews its lifetime.
 */
export async function keepVisitCookie(): Promise<string> {
  const { attributes } = sessionCookie(env().APP_URL);
  const token = (await presentedVisit()) ?? newToken();
  const maxAge = providerPolicy.browser / 1000;
  (await cookies()).set(visitCookie(), token, { ...attributes, maxAge });
  return token;
}

export async function presentedVisit(): Promise<string | null> {
  return readSessionToken((await headers()).get("cookie"), visitCookie());
}

function visitCookie(): string {
  return env().APP_URL.startsWith("https:") ? "__Host-visit" : "visit";
}

/**
 * Returns this browser if the account with this email knows it, else null: see
 * lib/auth/login/known-browsers.ts.
 */
export async function currentBrowser(email: string): Promise<KnownBrowser | null> {
  const { APP_URL, AUTH_SECRET } = env();
  const cookie = (await cookies()).get(browserCookieName(APP_URL))?.value;
  const found = findKnownBrowser(database(), cookie, email, AUTH_SECRET);
  return found.catch(redirectIfUnreachable);
}

/**
 * Makes this browser known to the account. Call it after a login or an equivalent proof; with
 * `strong` after a login with a second factor or a passkey, and if the browser was strong until the
 * password was changed.
 */
export async function rememberBrowser(account: BrowserAccount, strong = false): Promise<void> {
  const { APP_URL, AUTH_SECRET } = env();
  const name = browserCookieName(APP_URL);
  const jar = await cookies();
  jar.set(name, rememberAccount(jar.get(name)?.value, account, AUTH_SECRET, strong), {
    ...sessionCookie(APP_URL).attributes,
    maxAge: browserCookiePolicy.lifetime / 1000,
  });
}

/** Stores `value` in the draft cookie for `maxAge` seconds; null deletes the cookie. */
export async function setDraftCookie(value: string | null, maxAge: number): Promise<void> {
  const jar = await cookies();
  const { attributes } = sessionCookie(env().APP_URL);
  if (value !== null) jar.set(draftCookie(), value, { ...attributes, maxAge });
  else if (jar.has(draftCookie())) jar.set(draftCookie(), "", { ...attributes, maxAge: 0 });
}

export async function readDraftCookie(): Promise<string | undefined> {
  return (await cookies()).get(draftCookie())?.value;
}

function draftCookie(): string {
  return env().APP_URL.startsWith("https:") ? "__Host-draft" : "draft";
}
