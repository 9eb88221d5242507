import { answer, readJson } from "@/app/api/_answer";
import { Problem } from "@/lib/api/problems";
import { refresh } from "@/lib/api/schemas";
import { refreshAccessToken } from "@/lib/auth/tokens/refresh";
import { database } from "@/lib/db/client";
import { env } from "@/lib/env";
import { currentClient } from "@/lib/web/request";
import { tokenResponse } from "../_tokens";

/**
 * Returns the next pair of tokens. Not rate-limited: a guess has to hit 256 bits, and checking one
 * costs less than counting it.
 */
export function POST(request: Request): Promise<Response> {
  return answer(request, async () => {
    const { refresh_token } = await readJson(request, refresh);
    const result = await refreshAccessToken(database(), refresh_token, {
      secret: env().AUTH_SECRET,
      client: await currentClient(),
    });
    if (!result.ok)
      throw new Problem(
        result.reason === "reused" ? "refresh-token-reused" : "invalid-refresh-token",
      );
    return tokenResponse(result.session, result.refresh);
  });
}
