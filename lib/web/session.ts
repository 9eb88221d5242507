import "server-only";
import type { Route } from "next";
import { cookies, headers } from "next/headers";
import { notFound, redirect } from "next/navigation";
import { after } from "next/server";
import { cache } from "react";
import type { Client } from "@/lib/audit";
import {
  type DeviceAccount,
  deviceCookieName,
  findKnownDevice,
  rememberAccount,
} from "@/lib/auth/login/known-devices";
import { deviceCookiePolicy, sudoPolicy } from "@/lib/auth/policy";
import { cookieMaxAge, readSessionToken, sessionCookie } from "@/lib/auth/sessions/cookie";
import { getSession, type Session, touchSession } from "@/lib/auth/sessions/sessions";
import { database, isUnreachable } from "@/lib/db/client";
import { env } from "@/lib/env";
import { type Draft, packDraft, unpackDraft } from "@/lib/form";
import { clientAddress, isSameOrigin } from "@/lib/http";

/*
 * The seam between Next and lib: owns the cookie, the lookup once per request, and redirects. The
 * security fact: the cookie is written at login and cleared at log out and nowhere else; a lookup
 * that finds nothing leaves it alone, so that a slow request with an old token cannot erase the new
 * one. Nothing else in lib may import this file.
 */

/**
 * The session of this request, or null. However many components ask during a render, it is one
 * query. Inside an action `cache` does not remember: ask once at the top and pass it on.
 */
export const currentSession = cache(async (): Promise<Session | null> => {
  const token = await presentedToken();
  if (!token) return null;
  const session = await getSession(database(), token, await currentClient()).catch(
    redirectIfUnreachable,
  );
  if (session?.touchDue) after(() => touchSession(database(), session));
  return session;
});

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

/** For pages and actions of logged-in users; everybody else logs in first and comes back to `path`. */
export async function requireSession(path: Route): Promise<Session> {
  const session = await currentSession();
  if (!session) redirect(`/login?next=${encodeURIComponent(path)}`);
  return session;
}

/** What an action was sent, for the case that the proof has run out: `typedValues` has no secrets. */
export type SubmittedForm = { form: string; values: Record<string, string> };

/**
 * For pages and actions that want a recent proof of who it is; who has none confirms first and
 * comes back to `path`. An action gives what it was sent: then the longer window counts, and the
 * page finds what was typed with `draft(form)`.
 */
export async function requireSudo(path: Route, submitted?: SubmittedForm): Promise<Session> {
  const session = await requireSession(path);
  await requireRecentProof(session, path, submitted);
  return session;
}

/** For administrators, with sudo. To everybody else there is no such page. */
export async function requireAdmin(path: Route, submitted?: SubmittedForm): Promise<Session> {
  const session = await requireSession(path);
  if (session.user.role !== "admin") notFound();
  await requireRecentProof(session, path, submitted);
  return session;
}

/** `requireSudo` where it depends on what was sent: the session has been asked for already. */
export async function requireRecentProof(
  session: Session,
  path: Route,
  submitted?: SubmittedForm,
): Promise<void> {
  const allowed = session.sudo === "full" || (submitted && session.sudo === "submit-only");
  if (submitted) await keepDraft(session, allowed ? null : submitted);
  if (!allowed) redirect(`/confirm?next=${encodeURIComponent(path)}`);
}

/** What was typed into this form before its person had to confirm; for `<Form draft>`. */
export async function draft(form: string): Promise<Draft | undefined> {
  const [session, jar] = await Promise.all([currentSession(), cookies()]);
  const packed = jar.get(draftCookie())?.value;
  const values = session && packed ? unpackDraft(packed, session.userId, form) : null;
  return session && values ? { values, confirmed: session.sudo !== "expired" } : undefined;
}

/** In the browser, so that it is nobody's but theirs, and gone by itself. Null: it has been used. */
async function keepDraft({ userId }: Session, submitted: SubmittedForm | null): Promise<void> {
  const jar = await cookies();
  const { attributes } = sessionCookie(env().APP_URL);
  const packed =
    submitted && Object.keys(submitted.values).length > 0
      ? packDraft(userId, submitted.form, submitted.values)
      : null;
  if (packed) jar.set(draftCookie(), packed, { ...attributes, maxAge: sudoPolicy.submit / 1000 });
  else if (jar.has(draftCookie())) jar.set(draftCookie(), "", { ...attributes, maxAge: 0 });
}

function draftCookie(): string {
  return env().APP_URL.startsWith("https:") ? "__Host-draft" : "draft";
}

/**
 * The first line of every action: throws, before anything is done, when another site's page sent
 * the request. proxy.ts answers such requests with 403 earlier; this holds without it.
 */
export async function requireSameOrigin(): Promise<void> {
  const { APP_URL, production } = env();
  if (isSameOrigin(await headers(), APP_URL, !production)) return;
  throw new Error("Refused: this request does not come from a page of this site.");
}

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
 * After a mailed link has ended sessions: deletes the cookie, unless its session is still live. The
 * link's user and the user of this browser need not be the same.
 */
export async function deleteEndedSessionCookie(): Promise<void> {
  if (!(await currentSession())) await deleteSessionCookie();
}

/** The well-formed token this browser sent, live or not; null when there is none, or two. */
export async function presentedToken(): Promise<string | null> {
  const { name } = sessionCookie(env().APP_URL);
  return readSessionToken((await headers()).get("cookie"), name);
}

/** This browser's id, if the account of this email knows it: see device-cookie.ts. */
export async function currentDevice(email: string): Promise<string | null> {
  const { APP_URL, AUTH_SECRET } = env();
  const cookie = (await cookies()).get(deviceCookieName(APP_URL))?.value;
  return findKnownDevice(database(), cookie, email, AUTH_SECRET);
}

/** From now on the account knows this browser. After a login, or a proof that is as good. */
export async function rememberDevice(account: DeviceAccount): Promise<void> {
  const { APP_URL, AUTH_SECRET } = env();
  const name = deviceCookieName(APP_URL);
  const jar = await cookies();
  jar.set(name, rememberAccount(jar.get(name)?.value, account, AUTH_SECRET), {
    ...sessionCookie(APP_URL).attributes,
    maxAge: deviceCookiePolicy.lifetime / 1000,
  });
}

/** Where this request comes from, for audit rows and the device list. */
export async function currentClient(): Promise<Client> {
  const received = await headers();
  return {
    ip: clientAddress(received, env().TRUSTED_PROXY_HOPS),
    userAgent: received.get("user-agent")?.slice(0, 512) ?? null,
  };
}
