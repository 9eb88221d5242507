/*
 * A real OpenID provider in its own process, for `npm run dev` and the tests. Its first argument is
 * JSON: `{ port, appUrl, clientId, clientSecret }`. It accepts any name with any password: a name
 * without @ gets an email at example.com, and one with "+unverified" has an email that is not
 * verified. Security: it listens on 127.0.0.1 only, and ends with the process that started it.
 */
import { generateKeyPairSync, randomBytes } from "node:crypto";

const { port, appUrl, clientId, clientSecret } = JSON.parse(process.argv[2] ?? "{}");
const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });

console.info = () => {};
console.warn = () => {}; // it warns that it is not for production and prefers a newer Node
const { Provider } = await import("oidc-provider");

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [
    {
      client_id: clientId,
      client_secret: clientSecret,
      redirect_uris: [`${appUrl}/with/oidc/back`],
      response_types: ["code"],
      grant_types: ["authorization_code"],
      token_endpoint_auth_method: "client_secret_basic",
    },
  ],
  claims: {
    openid: ["sub"],
    email: ["email", "email_verified"],
    profile: ["name", "preferred_username"],
  },
  cookies: { keys: [randomBytes(32).toString("base64url")] },
  features: { devInteractions: { enabled: true } },
  findAccount: (_context, sub) => ({ accountId: sub, claims: () => claimsOf(sub) }),
  jwks: { keys: [{ ...privateKey.export({ format: "jwk" }), use: "sig", alg: "RS256" }] },
  pkce: { required: () => true },
  scopes: ["openid", "email", "profile"],
});

/** @param {string} sub */
function claimsOf(sub) {
  const [local = sub] = sub.split("@");
  const email = (sub.includes("@") ? sub : `${sub}@example.com`).replace("+unverified", "");
  const name = local.replace("+unverified", "").replaceAll(".", " ");
  return {
    ...{ sub, email, email_verified: !sub.includes("+unverified") },
    name: name.charAt(0).toUpperCase() + name.slice(1),
    preferred_username: local,
  };
}

const server = provider.listen(port, "127.0.0.1", () => process.send?.("ready"));
server.on("error", (/** @type {Error} */ error) => {
  console.error(`The OpenID provider could not start: ${error.message}`);
  process.exit(1);
});
process.once("disconnect", () => process.exit());
