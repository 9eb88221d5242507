import type { z } from "zod";
import { answer, json, readOptionalJson } from "@/app/api/_answer";
import { Problem } from "@/lib/api/problems";
import { newServiceToken, type serviceToken } from "@/lib/api/schemas";
import { tokenPolicy } from "@/lib/auth/policy";
import type { Scope } from "@/lib/auth/tokens/api-keys";
import { signAccessToken } from "@/lib/auth/tokens/jwt";
import { env } from "@/lib/env";
import { requireBearer, signingKeys } from "@/lib/web/bearer";

/** For machines: exchanges an API key for a token that one service verifies without asking us. */
export function POST(request: Request): Promise<Response> {
  return answer(request, async () => {
    const { user, apiKey } = await requireBearer(request);
    // Requires the key itself. Otherwise a token could be exchanged for the next one for ever.
    if (!apiKey || /\./.test(`${request.headers.get("authorization")}`))
      throw new Problem("invalid-token", {
        detail: "Send the API key itself, not a token that it was exchanged for.",
        headers: { "WWW-Authenticate": 'Bearer error="invalid_token"' },
      });
    const { audience, scope: asked } = await readOptionalJson(request, newServiceToken);

    const scope = narrowed(apiKey.scopes, asked);
    const claims = { sub: user.id, role: user.role, client_id: apiKey.id, scope };
    const [keys, issuer, lifetime] = [await signingKeys(), env().APP_URL, tokenPolicy.accessToken];
    return json({
      access_token: await signAccessToken(keys, issuer, claims, lifetime, audience),
      token_type: "Bearer",
      expires_in: lifetime / 1000,
      scope,
    } satisfies z.infer<typeof serviceToken>);
  });
}

/** Returns the requested scopes of the key, or all of them if none were requested. */
function narrowed(scopes: Scope[], asked: string | undefined): string {
  if (asked === undefined) return scopes.join(" ");
  const names = asked.split(" ");
  const lacking = names.filter((name) => !scopes.some((scope) => scope === name));
  if (lacking.length > 0)
    throw new Problem("invalid-scope", {
      errors: { scope: `The key does not have ${lacking.join(", ")}.` },
    });
  return scopes.filter((scope) => names.includes(scope)).join(" ");
}
