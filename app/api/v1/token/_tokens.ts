import type { z } from "zod";
import { json } from "@/app/api/_answer";
import type { tokens } from "@/lib/api/schemas";
import { tokenPolicy } from "@/lib/auth/policy";
import { signAccessToken } from "@/lib/auth/tokens/jwt";
import type { AppSession, RefreshToken } from "@/lib/auth/tokens/refresh";
import { env } from "@/lib/env";
import { signingKeys } from "@/lib/web/bearer";

/** What a login and a refresh both answer with. */
export async function tokenResponse(session: AppSession, refresh: RefreshToken): Promise<Response> {
  const claims = {
    sub: session.user.id,
    sid: session.id,
    role: session.user.role,
    amr: session.amr,
    auth_time: Math.floor(session.authenticatedAt.getTime() / 1000),
  };
  const lifetime = tokenPolicy.accessToken;
  return json({
    access_token: await signAccessToken(await signingKeys(), env().APP_URL, claims, lifetime),
    token_type: "Bearer",
    expires_in: lifetime / 1000,
    refresh_token: refresh.token,
    refresh_expires_in: refresh.expiresIn,
  } satisfies z.infer<typeof tokens>);
}
