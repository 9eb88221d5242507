import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import {
  beginAtProvider,
  configuredProviders,
  finishAtProvider,
  type Provider,
  personOf,
} from "@/lib/auth/credentials/providers";
import { visitSecrets } from "@/lib/auth/login/provider-visits";
import { providerPolicy } from "@/lib/auth/policy";
import { newToken } from "@/lib/auth/secrets";
import { parseEnv } from "@/lib/env";
import type { GithubAccount } from "@/tests/support/fake-github";
import { type ProviderProcess, startProviderProcess } from "@/tests/support/provider-process";

const ask = { fresh: false, choose: false };

/** Goes to the provider and back, like a browser. */
async function visit(provider: Provider, change: { verifier?: string; twice?: boolean } = {}) {
  const state = newToken();
  const secrets = visitSecrets(state, "secret");
  const redirectUri = `https://app.example/with/${provider.id}/back`;
  const begun = await beginAtProvider(provider, { redirectUri, state, ...secrets }, ask);
  if (!begun.ok) return begun;
  const { headers } = await fetch(begun.url, { redirect: "manual" });
  const query = new URL(headers.get("location") ?? "").searchParams;
  const finish = () =>
    finishAtProvider(provider, { redirectUri, state, ...secrets, ...change }, query);
  if (change.twice) await finish();
  return finish();
}

const logged: string[] = [];
beforeAll(() => {
  vi.spyOn(console, "error").mockImplementation((line) => logged.push(line));
});

describe("a provider that lies", () => {
  let lying: ProviderProcess;
  beforeAll(async () => {
    lying = await startProviderProcess("lying-provider.ts");
  });
  afterAll(() => lying.stop());

  const provider = (lie: string): Provider => ({
    ...{ id: "oidc", name: "Example", issuer: `${lying.origin}/${lie}`, domains: [] },
    ...{ clientId: "client", clientSecret: "secret" },
  });

  it("is accepted if its answer is right", async () => {
    const issuer = `${lying.origin}/none`;
    expect(await visit(provider("none"))).toEqual({
      ok: true,
      person: {
        ...{ issuer, subject: "ada", provider: "oidc", label: "ada@example.com", name: null },
        ...{ email: "ada@example.com", authoritative: false, authenticatedAt: null },
      },
    });
  });

  it.each([
    ...["wrong-nonce", "missing-nonce", "wrong-issuer", "wrong-audience", "wrong-authorized-party"],
    ...["expired", "no-subject", "endless-subject", "control-in-subject"],
    ...["wrong-signature", "no-signature", "no-id-token"],
    ...["foreign-issuer-parameter", "missing-issuer-parameter"],
    ...["wrong-state", "missing-state", "doubled-state"],
  ])("is refused: %s", async (lie) => {
    expect(await visit(provider(lie))).toEqual({ ok: false, reason: "refused" });
  });

  it("is accepted with an issue time in the future, which nonce and expiry make harmless", async () => {
    expect(await visit(provider("issued-in-the-future"))).toMatchObject({ ok: true });
  });

  it("would be accepted with a wrong signature by openid-client's default", async () => {
    const openid = await import("openid-client");
    const issuer = new URL(provider("wrong-signature").issuer);
    const config = await openid.discovery(issuer, "client", undefined, undefined, {
      execute: [openid.allowInsecureRequests],
    });
    const [state, nonce, verifier] = [newToken(), newToken(), newToken()];
    const url = openid.buildAuthorizationUrl(config, {
      ...{ redirect_uri: "https://app.example/back", state, nonce },
    });
    const { headers } = await fetch(url, { redirect: "manual" });
    const back = new URL(headers.get("location") ?? "");
    const checks = { expectedState: state, expectedNonce: nonce, pkceCodeVerifier: verifier };
    const tokens = await openid.authorizationCodeGrant(config, back, checks);
    expect(tokens.claims()?.sub).toBe("ada");
  });

  it("is accepted at once after it has changed its keys", async () => {
    for (let n = 0; n < 3; n++)
      expect(await visit(provider("rotated-keys"))).toMatchObject({ ok: true });
  });

  it.each(["silent-discovery", "silent-token"])(
    "ends a wait at the time limit: %s",
    async (lie) => {
      const before = Date.now();
      expect(await visit(provider(lie))).toEqual({ ok: false, reason: "unreachable" });
      expect(Date.now() - before).toBeLessThan(providerPolicy.timeout + 5000);
    },
    providerPolicy.timeout + 15_000,
  );

  it("is reported as unreachable if it fails or is down, and is tried again at the next login", async () => {
    expect(await visit(provider("failing"))).toEqual({ ok: false, reason: "unreachable" });
    const gone = { ...provider("none"), issuer: "http://127.0.0.1:9/none" };
    expect(await visit(gone)).toEqual({ ok: false, reason: "unreachable" });
    expect(await visit(provider("none"))).toMatchObject({ ok: true });
  });

  it("puts neither its tokens nor its codes into the log", () => {
    expect(logged.length).toBeGreaterThan(10);
    expect(logged.join("\n")).not.toMatch(/code=|state=|secret|eyJ/);
  });
});

describe("GitHub", () => {
  let github: ProviderProcess;
  beforeAll(async () => {
    github = await startProviderProcess("fake-github.ts");
  });
  afterAll(() => github.stop());

  const provider = (): Provider => ({
    ...{ id: "github", name: "GitHub", issuer: `${github.origin}/login/oauth`, domains: [] },
    ...{ clientId: "client", clientSecret: "github-secret", api: `${github.origin}/api/v3` },
  });

  const octocat: GithubAccount = {
    ...{ id: 583231, login: "octocat", name: "The Octocat" },
    emails: [
      { email: "other@example.com", primary: false, verified: true },
      { email: "Octocat@Example.com", primary: true, verified: true },
    ],
  };

  it("returns the numeric id and the verified primary email, never authoritative", async () => {
    await github.tell(octocat);
    expect(await visit(provider())).toEqual({
      ok: true,
      person: {
        ...{ issuer: provider().issuer, subject: "583231", provider: "github" },
        ...{ label: "@octocat", name: "The Octocat", email: "octocat@example.com" },
        ...{ authoritative: false, authenticatedAt: null },
      },
    });
  });

  it("returns no email that is unverified or not the primary one", async () => {
    for (const [primary, verified] of [
      [true, false],
      [false, true],
    ] as const) {
      await github.tell({ ...octocat, emails: [{ email: "a@example.com", primary, verified }] });
      expect(await visit(provider())).toMatchObject({ ok: true, person: { email: null } });
    }
  });

  it("refuses another verifier, and a second use of a code", async () => {
    await github.tell(octocat);
    const refused = { ok: false, reason: "refused" };
    expect(await visit(provider(), { verifier: newToken() })).toEqual(refused);
    expect(await visit(provider(), { twice: true })).toEqual(refused);
  });

  it("is reported as cancelled, without GitHub's own message", async () => {
    await github.tell({ ...octocat, cancels: true });
    expect(await visit(provider())).toEqual({ ok: false, reason: "cancelled" });
  });

  it("is reported as unreachable while it is down", async () => {
    await github.tell({ ...octocat, down: true });
    expect(await visit(provider())).toEqual({ ok: false, reason: "unreachable" });
  });
});

describe("personOf", () => {
  const google: Provider = {
    ...{ id: "google", name: "Google", issuer: "https://accounts.google.com", domains: [] },
    ...{ clientId: "id", clientSecret: "secret" },
  };
  const oidc: Provider = { ...google, id: "oidc", domains: ["acme.example"] };
  const claims = (email: string, more = {}) => ({ sub: "1", email, email_verified: true, ...more });

  it.each([
    ["Google for gmail.com", google, claims("ada@gmail.com"), true],
    ["Google for a Workspace", google, claims("ada@acme.example", { hd: "acme.example" }), true],
    ["Google for another email", google, claims("ada@example.com"), false],
    ["Google, unverified", google, claims("ada@gmail.com", { email_verified: false }), false],
    ["a provider for its domains", oidc, claims("ada@acme.example"), true],
    ["a provider for other domains", oidc, claims("ada@gmail.com", { hd: "gmail.com" }), false],
    ["a provider for a domain below", oidc, claims("ada@x.acme.example"), false],
    ["a provider, unverified", oidc, claims("ada@acme.example", { email_verified: "true" }), false],
  ])("knows whether it is authoritative: %s", (_, provider, said, authoritative) => {
    expect(personOf(provider, said).authoritative).toBe(authoritative);
  });

  it("accepts only a verified email, and normalizes it", () => {
    expect(personOf(oidc, claims("Ada@Example.COM")).email).toBe("ada@example.com");
    expect(personOf(oidc, { sub: "1", email: "ada@example.com" }).email).toBeNull();
    expect(personOf(oidc, claims("no email"))).toMatchObject({ email: null, label: "1" });
  });

  it("returns when the person authenticated, if the provider sends it", () => {
    expect(personOf(oidc, { sub: "1", auth_time: 1_000 }).authenticatedAt).toEqual(new Date(1e6));
  });

  it("drops a name that our rules refuse", () => {
    expect(personOf(oidc, { sub: "1", name: "x".repeat(101) }).name).toBeNull();
  });
});

describe("configuredProviders", () => {
  const base = {
    ...{
      NODE_ENV: "test" as const,
      APP_URL: "https://app.example",
      DATABASE_URL: "postgres://a/b",
    },
    ...{ AUTH_SECRET: newToken(), ENCRYPTION_KEYS: newToken() },
    JWT_PRIVATE_JWKS: '{"keys":[{"kty":"OKP","crv":"Ed25519","x":"x","d":"d","kid":"k"}]}',
  };
  const of = (more: Record<string, string>) =>
    configuredProviders(parseEnv({ ...base, ...more })).map(({ id, name, issuer }) => ({
      ...{ id, name, issuer },
    }));
  const google = { GOOGLE_CLIENT_ID: "id", GOOGLE_CLIENT_SECRET: "s" };
  const github = { GITHUB_CLIENT_ID: "id", GITHUB_CLIENT_SECRET: "s" };
  const oidc = {
    ...{ OIDC_ISSUER: "https://id.example/realm", OIDC_CLIENT_ID: "id", OIDC_CLIENT_SECRET: "s" },
  };

  it("is empty without variables, and contains each provider whose variables are set", () => {
    expect(of({})).toEqual([]);
    expect(of(google)).toEqual([
      { id: "google", name: "Google", issuer: "https://accounts.google.com" },
    ]);
    expect(of(github)).toEqual([
      { id: "github", name: "GitHub", issuer: "https://github.com/login/oauth" },
    ]);
    expect(of(oidc)).toEqual([
      { id: "oidc", name: "id.example", issuer: "https://id.example/realm" },
    ]);
    expect(of({ ...oidc, ...github, ...google, OIDC_NAME: "Acme" })).toMatchObject([
      ...[{ name: "Google" }, { name: "GitHub" }, { name: "Acme" }],
    ]);
  });

  it.each([
    ["half of Google", { GOOGLE_CLIENT_ID: "id" }, /GOOGLE_CLIENT_SECRET +is missing/],
    ["half of GitHub", { GITHUB_CLIENT_SECRET: "s" }, /GITHUB_CLIENT_ID +is missing/],
    ["a GitHub without client", { GITHUB_URL: "https://git.example" }, /GITHUB_CLIENT_ID/],
    ["a provider without issuer", { ...oidc, OIDC_ISSUER: "" }, /OIDC_ISSUER +is missing/],
    ["a name alone", { OIDC_NAME: "Acme" }, /OIDC_ISSUER +is missing/],
    ["plain http", { ...oidc, OIDC_ISSUER: "http://id.example" }, /OIDC_ISSUER +must be/],
    ["a domain that is none", { ...oidc, OIDC_DOMAINS: "@acme" }, /OIDC_DOMAINS +must be/],
  ])("stops the boot at %s", (_, more, message) => {
    expect(() => of(more)).toThrow(message);
  });
});
