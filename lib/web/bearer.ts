import "server-only";
import { after } from "next/server";
import { Problem } from "@/lib/api/problems";
import { type Scope, touchApiKey } from "@/lib/auth/tokens/api-keys";
import { type Bearer, findBearer } from "@/lib/auth/tokens/bearer";
import { importSigningKeys, type SigningKeys } from "@/lib/auth/tokens/jwt";
import { database } from "@/lib/db/client";
import { env } from "@/lib/env";
import { noteSession } from "@/lib/request-log";

/**
 * The API's guard, as `requireSession` is for pages. Every route that is not public calls it
 * on its first line. Throws a `Problem` that states what is missing, with the
 * WWW-Authenticate header of RFC 6750.
 */
export async function requireBearer(request: Request, scope?: Scope): Promise<Bearer> {
  const { APP_URL: issuer } = env();
  const presented = presentedBearer(request);
  const bearer = presented
    ? await findBearer(database(), presented, { keys: await signingKeys(), issuer })
    : null;
  if (!bearer) throw invalidToken(request);
  noteSession(bearer.session?.id);
  if (scope) requireScope(bearer.scopes, scope);
  const { apiKey } = bearer;
  if (apiKey?.touchDue) after(() => touchApiKey(database(), apiKey));
  return bearer;
}

/** Returns the presented bearer token, or undefined if there is none or it is malformed. */
export function presentedBearer({ headers }: Request): string | undefined {
  return /^Bearer +([\w.~+/=-]{1,4096}) *$/i.exec(headers.get("authorization") ?? "")?.[1];
}

export function invalidToken({ headers }: Request): Problem {
  const error = headers.has("authorization") ? 'error="invalid_token"' : "";
  return new Problem("invalid-token", challenge(error));
}

export function requireScope(scopes: readonly Scope[] | "all", scope: Scope): void {
  if (scopes !== "all" && !scopes.includes(scope))
    throw new Problem(
      "insufficient-scope",
      challenge(`error="insufficient_scope", scope="${scope}"`),
    );
}

function challenge(parameters: string) {
  return { headers: { "WWW-Authenticate": `Bearer ${parameters}`.trim() } };
}

let imported: { of: string; keys: Promise<SigningKeys> } | undefined;
/** Returns the signing keys, imported once, because an import costs more than a signature. */
export function signingKeys(): Promise<SigningKeys> {
  const { JWT_PRIVATE_JWKS } = env();
  if (imported?.of !== JWT_PRIVATE_JWKS)
    imported = { of: JWT_PRIVATE_JWKS, keys: importSigningKeys(JWT_PRIVATE_JWKS) };
  return imported.keys;
}
