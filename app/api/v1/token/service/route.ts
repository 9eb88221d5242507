import type { z } from "zod";
import { answer, json } from "@/app/api/_answer";
import { requireBearer, signingKeys } from "@/app/api/_bearer";
import { Problem } from "@/lib/api/problems";
import type { serviceToken } from "@/lib/api/schemas";
import { signAccessToken } from "@/lib/auth/jwt";
import { tokenPolicy } from "@/lib/auth/policy";
import { env } from "@/lib/env";

/** For machines: an API key becomes a token that other services can verify, for ten minutes. */
export function POST(request: Request): Promise<Response> {
  return answer(request, async () => {
    const { user, apiKey } = await requireBearer(request);
    // The key itself, or a token could be exchanged for the next one for ever.
    if (!apiKey || /\./.test(`${request.headers.get("authorization")}`))
      throw new Problem("invalid-token", {
        detail: "Send the API key itself.",
        headers: { "WWW-Authenticate": 'Bearer error="invalid_token"' },
      });

    const scope = apiKey.scopes.join(" ");
    const claims = { sub: user.id, role: user.role, client_id: apiKey.id, scope };
    const lifetime = tokenPolicy.accessToken;
    return json({
      access_token: await signAccessToken(await signingKeys(), env().APP_URL, claims, lifetime),
      token_type: "Bearer",
      expires_in: lifetime / 1000,
      scope,
    } satisfies z.infer<typeof serviceToken>);
  });
}
