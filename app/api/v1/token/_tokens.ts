import type { z } from "zod";
import { json } from "@/app/api/_answer";
import { Problem } from "@/lib/api/problems";
import type { tokens } from "@/lib/api/schemas";
import { tokenPolicy } from "@/lib/auth/policy";
import { signAccessToken } from "@/lib/auth/tokens/jwt";
import type { AppSession, RefreshToken } from "@/lib/auth/tokens/refresh";
import { env } from "@/lib/env";
import { signingKeys } from "@/lib/web/bearer";

/** Returns the response of both a login and a refresh. */
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

/** Throws if the password was right but the second factor is missing, wrong or tried too often. */
export function refuseSecondFactor(refused: { reason: string; retryAfter?: number }): void {
  if (refused.reason === "limited")
    throw new Problem("rate-limited", { headers: { "Retry-After": `${refused.retryAfter}` } });
  if (refused.reason === "code-needed") throw new Problem("second-factor-required");
  if (refused.reason === "code-incorrect")
    throw new Problem("second-factor-required", {
      detail: "That code is wrong or was used already.",
    });
}
