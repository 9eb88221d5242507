import type { Configuration, ServerMetadata } from "openid-client";
import { z } from "zod";
import { providerPolicy } from "@/lib/auth/policy";
import type { ProviderEnv } from "@/lib/env";
import { email as emailField, name as nameField } from "@/lib/fields";
import type { ProviderId } from "@/lib/provider-ids";

/*
 * Lists the configured providers, performs the two steps of OpenID Connect and OAuth 2.0 with them,
 * and reads what each says about a person. Security: an identity is issuer and subject, never an
 * email; the ID token's signature, issuer, audience, nonce and time are checked, and the issuer of
 * the answer too; and no token of a provider leaves this file. This is the only file that imports
 * openid-client, which the first login loads.
 */

export type Provider = {
  id: ProviderId;
  /** The name on pages: "Continue with Google". */
  name: string;
  issuer: string;
  clientId: string;
  clientSecret: string;
  /** The email domains that this provider assigns. */
  domains: string[];
  /** Set only for GitHub, which has no ID tokens: the URL of its API. */
  api?: string;
};

/** What a provider says about a person, checked. */
export type Person = {
  issuer: string;
  subject: string;
  provider: ProviderId;
  /** The email or user name at the provider, for pages and mails. */
  label: string;
  name: string | null;
  /** Set only if the provider has verified it. */
  email: string | null;
  /** Whether the provider assigns that email, so that the account's owner also owns the mailbox. */
  authoritative: boolean;
  /** When the user last proved their identity at the provider, if the provider says so. */
  authenticatedAt: Date | null;
};

/** Returns the configured providers, in the order of the buttons. */
export function configuredProviders(env: ProviderEnv): Provider[] {
  const { OIDC_ISSUER: issuer } = env;
  const github = env.GITHUB_URL ?? "https://github.com";
  return [
    ...client(env.GOOGLE_CLIENT_ID, env.GOOGLE_CLIENT_SECRET, {
      ...{ id: "google", name: "Google", issuer: "https://accounts.google.com", domains: [] },
    }),
    ...client(env.GITHUB_CLIENT_ID, env.GITHUB_CLIENT_SECRET, {
      ...{ id: "github", name: "GitHub", issuer: `${github}/login/oauth`, domains: [] },
      api: env.GITHUB_URL ? `${github}/api/v3` : "https://api.github.com",
    }),
    ...client(env.OIDC_CLIENT_ID, env.OIDC_CLIENT_SECRET, {
      ...{ id: "oidc", name: env.OIDC_NAME ?? (issuer ? new URL(issuer).host : "") },
      ...{ issuer: issuer ?? "", domains: env.OIDC_DOMAINS ?? [] },
    }),
  ];
}

function client(
  clientId: string | undefined,
  clientSecret: string | undefined,
  provider: Omit<Provider, "clientId" | "clientSecret">,
): Provider[] {
  return clientId && clientSecret ? [{ ...provider, clientId, clientSecret }] : [];
}

/** The values that bind a visit to its answer: see lib/auth/login/provider-visits.ts. */
export type Visit = { redirectUri: string; state: string; nonce: string; verifier: string };

export type ProviderFault = { ok: false; reason: "unreachable" | "refused" | "cancelled" };

/**
 * Returns the URL to send the browser to. `fresh` asks the provider for a new proof of identity;
 * `choose` asks it to let the user choose among their accounts there.
 */
export function beginAtProvider(
  provider: Provider,
  visit: Visit,
  ask: { fresh: boolean; choose: boolean },
): Promise<{ ok: true; url: string } | ProviderFault> {
  return judged(provider, async () => {
    const openid = await import("openid-client");
    const config = await configure(provider);
    const url = openid.buildAuthorizationUrl(config, {
      redirect_uri: visit.redirectUri,
      response_type: "code",
      state: visit.state,
      code_challenge: await openid.calculatePKCECodeChallenge(visit.verifier),
      code_challenge_method: "S256",
      scope: provider.api ? "read:user user:email" : "openid email profile",
      ...(provider.api ? {} : { nonce: visit.nonce }),
      // Google does not support prompt=login; the others ignore what they do not know.
      ...(ask.fresh && provider.id === "oidc" && { prompt: "login", max_age: "0" }),
      ...((ask.choose || ask.fresh) && provider.id !== "oidc" && { prompt: "select_account" }),
    });
    return { ok: true, url: url.href } as const;
  });
}

/**
 * Returns what the provider says about the person who came back with this query. Call it at most
 * once per visit.
 */
export function finishAtProvider(
  provider: Provider,
  visit: Visit,
  query: URLSearchParams,
): Promise<{ ok: true; person: Person } | ProviderFault> {
  return judged(provider, async () => {
    const openid = await import("openid-client");
    const config = await configure(provider);
    const answered = new URL(`${visit.redirectUri}?${query}`);
    const checks = { expectedState: visit.state, pkceCodeVerifier: visit.verifier };
    if (provider.api) {
      const tokens = await openid.authorizationCodeGrant(config, answered, checks);
      return { ok: true, person: await askGithub(provider, config, tokens.access_token) } as const;
    }
    const tokens = await openid.authorizationCodeGrant(config, answered, {
      ...checks,
      ...{ expectedNonce: visit.nonce, idTokenExpected: true },
    });
    const claims = tokens.claims();
    if (!claims) throw new Error("There is no ID token.");
    const hasUserInfo = config.serverMetadata().userinfo_endpoint !== undefined;
    // OpenID Connect Core, 5.4: the email may be only in the answer of the userinfo endpoint.
    const more =
      claims.email === undefined && hasUserInfo
        ? await openid.fetchUserInfo(config, tokens.access_token, claims.sub)
        : {};
    return { ok: true, person: personOf(provider, { ...more, ...claims }) } as const;
  });
}

const subject = z
  .string()
  .min(1)
  .max(255)
  .regex(/^\P{Cc}*$/u);

const idTokenClaims = z.object({
  sub: subject,
  email: emailField.optional().catch(undefined),
  email_verified: z.literal(true).optional().catch(undefined),
  name: nameField.optional().catch(undefined),
  preferred_username: nameField.optional().catch(undefined),
  hd: z.string().min(1).optional().catch(undefined),
  auth_time: z.number().optional().catch(undefined),
});

/** Returns a person from verified claims. Pure; exported for tests. */
export function personOf(provider: Provider, claims: object): Person {
  const said = idTokenClaims.parse(claims);
  const email = said.email_verified ? (said.email ?? null) : null;
  const domain = email?.split("@").at(-1) ?? "";
  // https://developers.google.com/identity/gsi/web/guides/verify-google-id-token: Google is
  // authoritative for gmail.com and, if `hd` is present, for the domain of a Workspace.
  const isGoogles = provider.id === "google" && (domain === "gmail.com" || said.hd !== undefined);
  return {
    ...{ issuer: provider.issuer, subject: said.sub, provider: provider.id },
    label: said.email ?? said.preferred_username ?? said.name ?? said.sub.slice(0, 100),
    name: said.name ?? null,
    email,
    authoritative: email !== null && (isGoogles || provider.domains.includes(domain)),
    authenticatedAt: said.auth_time ? new Date(said.auth_time * 1000) : null,
  };
}

const githubUser = z.object({
  id: z.number().int().positive(),
  login: nameField,
  name: nameField.nullish().catch(null),
});

const githubEmails = z.array(
  z.object({ email: z.string(), primary: z.boolean(), verified: z.boolean() }),
);

/**
 * Asks GitHub's API about a person. The subject is the id, which is permanent: a login can pass to
 * another person. The email is never authoritative, because GitHub assigns no mailboxes.
 */
async function askGithub(
  provider: Provider,
  config: Configuration,
  token: string,
): Promise<Person> {
  const { fetchProtectedResource } = await import("openid-client");
  const ask = async (path: string) => {
    const url = new URL(`${provider.api}${path}`);
    // GitHub answers 403 to a request without a User-Agent.
    const headers = new Headers({ "User-Agent": provider.clientId, Accept: "application/json" });
    const answer = await fetchProtectedResource(config, token, url, "GET", undefined, headers);
    if (!answer.ok) throw new HttpError(answer.status);
    return answer.json();
  };
  const user = githubUser.parse(await ask("/user"));
  const emails = githubEmails.parse(await ask("/user/emails"));
  const primary = emails.find(({ primary, verified }) => primary && verified);
  return {
    ...{ issuer: provider.issuer, subject: `${user.id}`, provider: provider.id },
    label: `@${user.login}`,
    name: user.name ?? user.login,
    email: emailField.safeParse(primary?.email).data ?? null,
    authoritative: false,
    authenticatedAt: null,
  };
}

class HttpError extends Error {
  constructor(readonly status: number) {
    super(`The provider answered ${status}.`);
  }
}

// lib/env.ts allows http on loopback only.
const isLoopbackHttp = (issuer: string) => issuer.startsWith("http:");

/**
 * Returns what openid-client needs to know about a provider. Each login fetches the provider's
 * keys, so that a change of keys takes effect at once.
 */
async function configure(provider: Provider): Promise<Configuration> {
  const openid = await import("openid-client");
  const { issuer, clientId, clientSecret, api } = provider;
  const server: ServerMetadata = api
    ? {
        issuer,
        authorization_endpoint: `${issuer}/authorize`,
        token_endpoint: `${issuer}/access_token`,
      }
    : await discover(provider);
  const authenticate = (api ? openid.ClientSecretPost : openid.ClientSecretBasic)(clientSecret);
  const config = new openid.Configuration(server, clientId, clientSecret, authenticate);
  if (isLoopbackHttp(issuer)) openid.allowInsecureRequests(config);
  // Without this, openid-client trusts TLS alone and does not check the ID token's signature.
  openid.enableNonRepudiationChecks(config);
  const deadline = AbortSignal.timeout(providerPolicy.timeout);
  config[openid.customFetch] = (url, options) =>
    fetch(url, {
      ...options,
      signal: options.signal ? AbortSignal.any([options.signal, deadline]) : deadline,
    } as RequestInit);
  return config;
}

const discovered = new Map<string, { server: Promise<ServerMetadata>; until: number }>();

/**
 * Returns the provider's endpoints, cached for an hour. Concurrent callers share one request; a
 * failure is not cached.
 */
async function discover({ issuer, clientId }: Provider): Promise<ServerMetadata> {
  const known = discovered.get(issuer);
  if (known && known.until > Date.now()) return known.server;
  const openid = await import("openid-client");
  const server = openid
    .discovery(new URL(issuer), clientId, undefined, undefined, {
      timeout: providerPolicy.timeout / 1000,
      execute: isLoopbackHttp(issuer) ? [openid.allowInsecureRequests] : [],
    })
    .then((config) => config.serverMetadata());
  discovered.set(issuer, { server, until: Date.now() + providerPolicy.discovery });
  server.catch(() => discovered.delete(issuer));
  return server;
}

/**
 * Runs `work`. On failure, logs what went wrong and returns the reason for the user. A provider's
 * own text goes to the log only, since any site can send a browser here with a text of its own.
 */
async function judged<T>({ id }: Provider, work: () => Promise<T>): Promise<T | ProviderFault> {
  try {
    return await work();
  } catch (error) {
    const { name, message, code, error: said, cause, status } = error as Record<string, unknown>;
    if (said === "access_denied") return { ok: false, reason: "cancelled" };
    const answered = cause instanceof Response ? cause.status : status;
    const isDown =
      (error instanceof TypeError && cause !== undefined && !(cause instanceof Response)) ||
      ["OAUTH_TIMEOUT", "OAUTH_ABORT"].includes(`${code}`) ||
      ["TimeoutError", "AbortError"].includes(`${name}`) ||
      (typeof answered === "number" && answered >= 500);
    const text = [name, code, said, message, answered]
      .filter((part) => part !== undefined)
      .join(" ");
    console.error(`Login with ${id} failed: ${text.replaceAll(/\p{Cc}/gu, " ").slice(0, 300)}`);
    return { ok: false, reason: isDown ? "unreachable" : "refused" };
  }
}
