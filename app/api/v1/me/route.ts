import type { z } from "zod";
import { answer, json } from "@/app/api/_answer";
import type { me } from "@/lib/api/schemas";
import { requireBearer } from "@/lib/web/bearer";

/** Returns who the bearer is. The smallest route: copy it to start a new one. */
export function GET(request: Request): Promise<Response> {
  return answer(request, async () => {
    const { user, session, apiKey } = await requireBearer(request, "profile:read");
    const { id, email, name, role } = user;
    return json({
      ...{ id, email, name, role },
      ...(session && { session: { id: session.id } }),
      ...(apiKey && { api_key: { id: apiKey.id, scopes: apiKey.scopes } }),
    } satisfies z.infer<typeof me>);
  });
}
