import { answer, noContent, readJson } from "@/app/api/_answer";
import { refresh } from "@/lib/api/schemas";
import { revokeRefreshToken } from "@/lib/auth/tokens/refresh";
import { database } from "@/lib/db/client";
import { currentClient } from "@/lib/web/request";

/** Logs an app out. Responds the same for every token (RFC 7009), so that it reveals nothing. */
export function POST(request: Request): Promise<Response> {
  return answer(request, async () => {
    const { refresh_token } = await readJson(request, refresh);
    await revokeRefreshToken(database(), refresh_token, await currentClient());
    return noContent();
  });
}
