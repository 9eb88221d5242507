import { generateKeyPairSync, randomBytes, sign } from "node:crypto";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";

/*
 * An OpenID provider that lies, as a process of its own. The path of its issuer names the lie:
 * `http://127.0.0.1:<port>/wrong-nonce`. Everything else in its responses is correct.
 */

type Claims = Record<string, unknown>;

type Lie = {
  claims?: (claims: Claims) => Claims;
  /** Changes the query parameters of the redirect back to the app. */
  back?: (back: URLSearchParams) => void;
  /** Changes the ID token that is sent; undefined sends none. */
  token?: (token: string) => string | undefined;
  algorithm?: "none";
  /** The token endpoint's status, if it fails. */
  status?: number;
  silent?: "discovery" | "token";
  /** Signs each ID token with a new key. */
  rotates?: boolean;
};

const now = () => Math.floor(Date.now() / 1000);
const without = (name: string) => (claims: Claims) => ({ ...claims, [name]: undefined });
const also = (more: Claims) => (claims: Claims) => ({ ...claims, ...more });

const lies: Record<string, Lie> = {
  none: {},
  "rotated-keys": { rotates: true },
  "wrong-nonce": { claims: also({ nonce: "another" }) },
  "missing-nonce": { claims: without("nonce") },
  "wrong-issuer": { claims: also({ iss: "https://accounts.example" }) },
  "wrong-audience": { claims: also({ aud: "another-client" }) },
  "wrong-authorized-party": { claims: also({ aud: ["client", "other"], azp: "other" }) },
  expired: { claims: (claims) => ({ ...claims, exp: now() - 120, iat: now() - 240 }) },
  "issued-in-the-future": { claims: (claims) => ({ ...claims, iat: now() + 3600 }) },
  "no-subject": { claims: without("sub") },
  "endless-subject": { claims: also({ sub: "x".repeat(256) }) },
  "control-in-subject": { claims: also({ sub: "a\u0000b" }) },
  "wrong-signature": {
    token: (token) => `${token.slice(0, token.lastIndexOf("."))}.${randomText(256)}`,
  },
  "no-signature": { algorithm: "none" },
  "no-id-token": { token: () => undefined },
  "foreign-issuer-parameter": { back: (back) => back.set("iss", "https://accounts.example") },
  "missing-issuer-parameter": { back: (back) => back.delete("iss") },
  "wrong-state": { back: (back) => back.set("state", randomText(32)) },
  "missing-state": { back: (back) => back.delete("state") },
  "doubled-state": { back: (back) => back.append("state", back.get("state") ?? "") },
  failing: { status: 503 },
  "silent-discovery": { silent: "discovery" },
  "silent-token": { silent: "token" },
};

const newKey = () => {
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  return { privateKey, jwk: { ...publicKey.export({ format: "jwk" }), kid: randomText(8) } };
};
const keys = new Map<string, ReturnType<typeof newKey>>();
const nonces = new Map<string, string>();

const server = createServer(async (request, response) => {
  const origin = `http://${request.headers.host}`;
  const url = new URL(request.url ?? "/", origin);
  const [, name = "", ...rest] = url.pathname.split("/");
  const lie = lies[name];
  const issuer = `${origin}/${name}`;
  const json = (body: unknown, status = 200) =>
    response.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(body));
  if (!lie) return json({ error: "There is no such lie." }, 404);

  switch (rest.join("/")) {
    case ".well-known/openid-configuration":
      if (lie.silent === "discovery") return;
      return json({
        ...{ issuer, jwks_uri: `${issuer}/keys`, authorization_endpoint: `${issuer}/authorize` },
        token_endpoint: `${issuer}/token`,
        ...{ response_types_supported: ["code"], subject_types_supported: ["public"] },
        id_token_signing_alg_values_supported: ["RS256"],
        authorization_response_iss_parameter_supported: true,
      });
    case "keys":
      return json({ keys: [{ ...keys.get(name)?.jwk, use: "sig", alg: "RS256" }] });
    case "authorize": {
      const code = randomText(16);
      nonces.set(code, url.searchParams.get("nonce") ?? "");
      const back = new URL(url.searchParams.get("redirect_uri") ?? "");
      const state = url.searchParams.get("state") ?? "";
      for (const [key, value] of Object.entries({ code, state, iss: issuer }))
        back.searchParams.set(key, value);
      lie.back?.(back.searchParams);
      return response.writeHead(302, { Location: back.href }).end();
    }
    case "token": {
      if (lie.silent === "token") return;
      if (lie.status) return json({ error: "temporarily_unavailable" }, lie.status);
      const code = new URLSearchParams(await bodyOf(request)).get("code") ?? "";
      const claims = {
        ...{ iss: issuer, sub: "ada", aud: "client", exp: now() + 300, iat: now() },
        ...{ nonce: nonces.get(code), email: "ada@example.com", email_verified: true },
      };
      const token = signed(name, lie, lie.claims?.(claims) ?? claims);
      const id_token = lie.token ? lie.token(token) : token;
      return json({ access_token: "secret", token_type: "Bearer", id_token });
    }
    default:
      return json({}, 404);
  }
});

function signed(name: string, lie: Lie, claims: Claims): string {
  if (lie.rotates || !keys.has(name)) keys.set(name, newKey());
  const key = keys.get(name) ?? newKey();
  const header = lie.algorithm ? { alg: "none" } : { alg: "RS256", kid: key.jwk.kid };
  const body = [header, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
    .join(".");
  const signature = sign("sha256", Buffer.from(body), key.privateKey).toString("base64url");
  return `${body}.${lie.algorithm ? "" : signature}`;
}

function randomText(bytes: number): string {
  return randomBytes(bytes).toString("base64url");
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let body = "";
  for await (const chunk of request) body += chunk;
  return body;
}

server.listen(0, "127.0.0.1", () => process.send?.((server.address() as AddressInfo).port));
process.once("disconnect", () => process.exit());
