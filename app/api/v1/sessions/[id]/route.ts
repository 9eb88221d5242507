import { answer, noContent, readId } from "@/app/api/_answer";
import { Problem } from "@/lib/api/problems";
import { invalidateSession } from "@/lib/auth/sessions/end";
import { database } from "@/lib/db/client";
import { consume } from "@/lib/rate-limits";
import { requireBearer } from "@/lib/web/bearer";
import { currentClient } from "@/lib/web/request";

type Context = RouteContext<"/api/v1/sessions/[id]">;

/**
 * Ends one session of the bearer's user. Another user's session gets the same "not found" as one
 * that does not exist. An app needs a recent proof of identity to end sessions other than its own,
 * as on the devices page. A key needs its scope.
 */
export function DELETE(request: Request, { params }: Context): Promise<Response> {
  return answer(request, async () => {
    const { user, session } = await requireBearer(request, "sessions:write");
    const id = readId((await params).id);
    if (session && session.id !== id && session.sudo === "expired")
      throw new Problem("confirmation-required");

    const taken = await consume(database(), "endPerUser", user.id);
    if (!taken.ok)
      throw new Problem("rate-limited", { headers: { "Retry-After": `${taken.retryAfter}` } });

    const acting = { id: session?.id ?? null, userId: user.id, client: await currentClient() };
    if (!(await invalidateSession(database(), acting, id))) throw new Problem("not-found");
    return noContent();
  });
}
