import type { z } from "zod";
import { answer, json } from "@/app/api/_answer";
import type { devices } from "@/lib/api/schemas";
import { listSessions } from "@/lib/auth/sessions/list";
import { database } from "@/lib/db/client";
import { deviceLabel } from "@/lib/user-agent";
import { requireBearer } from "@/lib/web/bearer";

/** Returns the user's sessions: the devices page for apps. */
export function GET(request: Request): Promise<Response> {
  return answer(request, async () => {
    const { user, session } = await requireBearer(request, "sessions:read");
    const rows = await listSessions(database(), { userId: user.id });
    return json(
      rows.map((row) => ({
        id: row.id,
        kind: row.kind,
        device: deviceLabel(row),
        ip: row.ip,
        created_at: row.createdAt.toISOString(),
        last_seen_at: row.lastSeenAt.toISOString(),
        current: row.id === session?.id,
      })) satisfies z.infer<typeof devices>,
    );
  });
}
