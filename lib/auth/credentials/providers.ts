import type { Configuration, ServerMetadata } from "openid-client";
import { z } from "zod";
import { providerPolicy } from "@/lib/auth/policy";
import type { ProviderEnv } from "@/lib/env";
import { email as emailField, name as nameField } from "@/lib/fields";
import type { ProviderId } from "@/lib/provider-ids";

/*
 * Owns which providers are configured, the two steps of OpenID Connect and OAuth 2.0 with them, and what
 * each says of a person. The security facts: an identity is issuer and subject, never an email; the ID
 * token's signature, issuer, audience, nonce and time are checked, and the issuer of the answer too; and
 * no token of a provider leaves this file. The only file that imports openid-client, which is loaded by
 * the first login.
 */

export type Provider = {
  id: ProviderId;
  /** As pages write it: "Continue with Google". */
  name: string;
  issuer: string;
  clientId: string;
  clientSecret: string;
  /** The email domains that this provider assigns. */
  domains: string[];
  /** GitHub, which has no ID tokens: where its API is. */
  api?: string;
};

/** What a provider says of a person, checked. */
export type Person = {
  issuer: string;
  subject: string;
  provider: ProviderId;
  /** For pages and mails: the email or user name there. */
  label: string;
  name: string | null;
  /** Only where the provider has verified it. */
  email: string | null;
  /** The provider assigns that email itself: the owner of the account is the owner of the mailbox. */
  authoritative: boolean;
  /** When the user last proved their identity there, where the provider says so. */
  authenticatedAt: Date | null;
};

/** In the order of the buttons. */
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

/** What binds a visit to its answer: see lib/auth/login/provider-visits.ts. */
export type Visit = { redirectUri: string; state: string; nonce: string; verifier: string };

export type ProviderFault = { ok: false; reason: "unreachable" | "refused" | "cancelled" };

/**
 * The URL to send the browser to. `fresh` asks the provider for a new proof of identity,
 * `choose` to let them choose among their accounts there.
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
      // Google has no prompt=login; the others pass over what they do not know.
      ...(ask.fresh && provider.id === "oidc" && { prompt: "login", max_age: "0" }),
      ...((ask.choose || ask.fresh) && provider.id !== "oidc" && { prompt: "select_account" }),
    });
    return { ok: true, url: url.href } as const;
  });
}

/** What the provider says of the person who came back with this query. Used at most once per visit. */
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
    // OpenID Connect Core, 5.4: the email may stand in the answer of the userinfo endpoint alone.
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

/** Pure, for tests: a person from verified claims. */
export function personOf(provider: Provider, claims: object): Person {
  const said = idTokenClaims.parse(claims);
  const email = said.email_verified ? (said.email ?? null) : null;
  const domain = email?.split("@").at(-1) ?? "";
  // https://developers.google.com/identity/gsi/web/guides/verify-google-id-token: Google is
  // authoritative for gmail.com and, where `hd` is there, for the domain of a Workspace.
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

/** The id is GitHub's for ever; a login can pass to another person. GitHub assigns no mailboxes. */
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

const isLoopbackHttp = (issuer: string) => issuer.startsWith("http:"); // lib/env.ts allows no other

/**
 * What the client needs to know of a provider. Its keys are fetched by each login, so that one that has
 * changed its keys is understood at once.
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
  // Without it openid-client trusts TLS alone, and does not look at the ID token's signature.
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

/** The provider's endpoints, kept for an hour, one request at a time; a failure is not kept. */
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
 * Says in the log what went wrong, and in a word what to tell the user. A provider's own text is for
 * the log alone, since any site can send a browser here with a text of its own.
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
