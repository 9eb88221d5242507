import type { z } from "zod";
import { answer, json } from "@/app/api/_answer";
import type { teams } from "@/lib/api/schemas";
import { database } from "@/lib/db/client";
import { listTeams } from "@/lib/teams/teams";
import { requireBearer } from "@/lib/web/bearer";

/** Returns the teams that a user's key or app may name in the path of the other routes. */
export function GET(request: Request): Promise<Response> {
  return answer(request, async () => {
    const { user } = await requireBearer(request, "teams:read");
    const rows = await listTeams(database(), { userId: user.id });
    return json(
      rows.map(({ handle, name, role }) => ({ handle, name, role })) satisfies z.infer<
        typeof teams
      >,
    );
  });
}
