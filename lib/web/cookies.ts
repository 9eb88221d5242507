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
 * Owns the cookies of a session, of a pending login, of a visit to a provider, of a known browser and of a
 * draft. The security fact: the session's cookie is written at login, at a confirmation and at a change of
 * the ways to log in, deleted at log out, and nowhere else. A lookup that finds nothing leaves it alone, so
 * that a slow request with an old token cannot erase the new one.
 */

/** Puts a new token into the browser. Only in actions and route handlers, before any redirect. */
export async function setSessionCookie(token: string, persistent: boolean): Promise<void> {
  const { name, attributes } = sessionCookie(env().APP_URL);
  (await cookies()).set(name, token, { ...attributes, maxAge: cookieMaxAge(persistent) });
}

/**
 * Takes the token out of the browser, and the draft with what this user typed; the row is ended by
 * the caller, first.
 */
export async function deleteSessionCookie(): Promise<void> {
  const { name, attributes } = sessionCookie(env().APP_URL);
  const jar = await cookies();
  jar.set(name, "", { ...attributes, maxAge: 0 });
  if (jar.has(draftCookie())) jar.set(draftCookie(), "", { ...attributes, maxAge: 0 });
}

/**
 * The well-formed token this browser sent, live or not; null when there is none, or two. Where the
 * action of this request has set another one, the page that it renders gets that.
 */
export async function presentedToken(): Promise<string | null> {
  const { name } = sessionCookie(env().APP_URL);
  const sent = readSessionToken((await headers()).get("cookie"), name);
  const current = (await cookies()).get(name)?.value;
  return sent && current && current !== sent && isToken(current) ? current : sent;
}

/** The cookie of a pending login, which opens nothing but the pages that ask for the second factor. */
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

/** The pending login of this browser that can still be finished, or null. */
export async function currentPendingLogin(): Promise<PendingLogin | null> {
  const token = await presentedPending();
  return token ? findPendingLogin(database(), token).catch(redirectIfUnreachable) : null;
}

function pendingCookie(): string {
  return env().APP_URL.startsWith("https:") ? "__Host-login" : "login";
}

/**
 * The token that binds visits to a provider, and what begins with one, to this browser: one for all its
 * tabs. Made where there is none, and kept for as long again.
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

/** This browser, if the account of this email knows it: see lib/auth/login/known-browsers.ts. */
export async function currentBrowser(email: string): Promise<KnownBrowser | null> {
  const { APP_URL, AUTH_SECRET } = env();
  const cookie = (await cookies()).get(browserCookieName(APP_URL))?.value;
  const found = findKnownBrowser(database(), cookie, email, AUTH_SECRET);
  return found.catch(redirectIfUnreachable);
}

/**
 * From now on the account knows this browser. After a login, or a proof that is as good; `strong` after a
 * login with a second factor or a passkey, and where the browser was strong until the password was changed.
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

/** Keeps `value` in a cookie of this browser for `maxAge` seconds; null deletes it. */
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
