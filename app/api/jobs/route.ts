import { timingSafeEqual } from "node:crypto";
import { answer, json } from "@/app/api/_answer";
import { Problem } from "@/lib/api/problems";
import { hashToken } from "@/lib/auth/secrets";
import { env } from "@/lib/env";
import { drainJobs } from "@/lib/worker";

export const dynamic = "force-dynamic";

/** Runs due jobs, for hosts without a long-running process: a scheduler calls it every minute. */
export function POST(request: Request): Promise<Response> {
  return answer(request, async () => {
    const { CRON_SECRET } = env();
    if (!CRON_SECRET) throw new Problem("not-found");
    const presented = request.headers.get("authorization") ?? "";
    // Hashed first, so that both have the same length and the comparison reveals nothing.
    if (!timingSafeEqual(hashToken(presented), hashToken(`Bearer ${CRON_SECRET}`)))
      throw new Problem("invalid-token");
    return json(await drainJobs());
  });
}
