import { notFound } from "next/navigation";
import { connectIdentity } from "@/lib/auth/account/connected-accounts";
import { signUpWithIdentity } from "@/lib/auth/account/sign-up";
import { findIdentityOwner } from "@/lib/auth/credentials/identities";
import { finishAtProvider, type Person, type Provider } from "@/lib/auth/credentials/providers";
import { confirmWithIdentity } from "@/lib/auth/login/confirm";
import { logInWithIdentity } from "@/lib/auth/login/log-in";
import { consumeVisit, type ProviderVisit, visitSecrets } from "@/lib/auth/login/provider-visits";
import { addMail } from "@/lib/auth/mails/jobs";
import { hashToken } from "@/lib/auth/secrets";
import type { Session } from "@/lib/auth/sessions/lookup";
import { database } from "@/lib/db/client";
import { env } from "@/lib/env";
import { consume, consumeMail } from "@/lib/rate-limits";
import {
  currentBrowser,
  presentedPending,
  presentedToken,
  presentedVisit,
  rememberBrowser,
  setPendingCookie,
  setSessionCookie,
} from "@/lib/web/cookies";
import { findProvider, redirectUri } from "@/lib/web/providers";
import { currentClient, redirectIfUnreachable } from "@/lib/web/request";
import { currentSession } from "@/lib/web/session";
import { waysHere } from "@/lib/web/ways-here";
import { backTo, seeOther, tooMany } from "../../answers";

/**
 * The return from a provider: the only GET that changes something. It does so only once, and
 * only for a visit that this browser started with a POST. Any response of the provider uses
 * up the visit.
 */
export async function GET(
  request: Request,
  { params }: RouteContext<"/with/[provider]/back">,
): Promise<Response> {
  const provider = findProvider((await params).provider);
  if (!provider) notFound();
  const query = new URL(request.url).searchParams;
  const states = query.getAll("state");
  const [state = ""] = states.length === 1 ? states : [];
  const presented = { state, browser: await presentedVisit(), provider: provider.id };
  const visit = await consumeVisit(database(), presented).catch(redirectIfUnreachable);
  if (!visit) return backTo({ purpose: "log-in", next: null }, "visit-ended");

  const secrets = visitSecrets(state, env().AUTH_SECRET);
  const begun = { redirectUri: redirectUri(provider), state, ...secrets };
  const answer = await finishAtProvider(provider, begun, query);
  if (!answer.ok) return backTo(visit, `${provider.id}-${answer.reason}`);
  if (visit.purpose === "connect") return connect(request, provider, visit, answer.person);
  if (visit.purpose === "confirm") return confirm(provider, visit, answer.person);
  return logIn(request, provider, visit, answer.person);
}

/**
 * Returns the session that started the visit. If this browser has logged in again since, the new
 * session must not get the account.
 */
async function actingSession(visit: ProviderVisit): Promise<Session | null> {
  const session = await currentSession();
  return session && session.id === visit.sessionId ? session : null;
}

async function connect(
  request: Request,
  provider: Provider,
  visit: ProviderVisit,
  person: Person,
): Promise<Response> {
  const session = await actingSession(visit);
  const presented = await presentedToken();
  if (!session || !presented || session.sudo === "expired") return backTo(visit, "visit-ended");
  const taken = await consume(database(), "connectPerUser", session.userId);
  if (!taken.ok) return tooMany(request, taken.retryAfter, "/settings/connected-accounts");
  const result = await connectIdentity(database(), session, presented, person);
  if (result.ok) await setSessionCookie(result.token, session.persistent);
  if (result.ok || result.reason === "already") return backTo(visit, `${provider.id}-connected`);
  return backTo(visit, result.reason === "taken" ? `${provider.id}-taken` : "visit-ended");
}

async function confirm(
  provider: Provider,
  visit: ProviderVisit,
  person: Person,
): Promise<Response> {
  const session = await actingSession(visit);
  const presented = await presentedToken();
  if (!session || !presented) return backTo(visit, "visit-ended");
  const result = await confirmWithIdentity(database(), session, {
    ...{ presented, person, begunAt: visit.createdAt, here: waysHere() },
  });
  if (!result.ok && result.reason === "incorrect") return backTo(visit, `${provider.id}-other`);
  if (!result.ok && result.reason === "stale") return backTo(visit, `${provider.id}-stale`);
  if (!result.ok && result.reason === "better-way") return backTo(visit, "better-way");
  if (result.ok) await setSessionCookie(result.token, session.persistent);
  return seeOther(visit.next ?? "/dashboard");
}

async function logIn(
  request: Request,
  provider: Provider,
  visit: ProviderVisit,
  person: Person,
): Promise<Response> {
  const owner = await findIdentityOwner(database(), person);
  if (!owner) return signUp(request, provider, visit, person);
  const client = await currentClient();
  const browser = await currentBrowser(owner.email);
  const { persistent } = visit;
  const result = await logInWithIdentity(database(), owner, person, {
    ...{ persistent, presented: await presentedToken(), knownBrowser: browser !== null, client },
    presentedPending: await presentedPending(),
  });
  const next = visit.next ?? "/dashboard";
  if (!result.ok && result.reason === "code-needed") {
    await setPendingCookie(result.pending);
    return seeOther("/login/code", { next });
  }
  if (!result.ok) return backTo(visit, result.reason === "suspended" ? "suspended" : "visit-ended");
  await setPendingCookie(null);
  await setSessionCookie(result.token, persistent);
  await rememberBrowser(result.account);
  return seeOther(next);
}

/**
 * Signs up with a provider's account that no user has. It never logs in to an existing account by
 * its email. If the provider does not assign the email itself, the response is the same with and
 * without an account.
 */
async function signUp(
  request: Request,
  provider: Provider,
  visit: ProviderVisit,
  person: Person,
): Promise<Response> {
  const { email, authoritative } = person;
  if (email === null) return backTo(visit, `${provider.id}-no-email`);
  const client = await currentClient();
  if (!authoritative) return mailLink(request, { ...person, email }, client.ip);
  const { persistent } = visit;
  const browser = { presented: await presentedToken(), persistent, client };
  const result = await signUpWithIdentity(database(), { ...person, email }, browser);
  if (!result.ok) return backTo(visit, `${provider.id}-account-exists`);
  await setPendingCookie(null);
  await setSessionCookie(result.token, persistent);
  await rememberBrowser(result.account);
  return seeOther(visit.next ?? "/dashboard");
}

async function mailLink(
  request: Request,
  person: Person & { email: string },
  ip: string | null,
): Promise<Response> {
  const { email: to, issuer, subject, provider, label } = person;
  const taken = await consumeMail(database(), "sign-up", to, ip);
  if (!taken.ok) return tooMany(request, taken.retryAfter, "/login");
  const browserHash = hashToken((await presentedVisit()) ?? "").toString("base64url");
  const name = person.name ?? label.slice(0, 100);
  const identity = { issuer, subject, provider, label: label.slice(0, 254), name, browserHash };
  await addMail(database(), "sign-up", { to, identity });
  const page = (await currentSession()) ? "/settings/connected-accounts" : "/signup";
  return seeOther(page, { notice: "check-your-email" });
}
