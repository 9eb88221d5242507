import { timingSafeEqual } from "node:crypto";
import { hashToken } from "@/lib/auth/secrets";
import { env } from "@/lib/env";
import { isFromAnotherSite } from "@/lib/http";
import { drainJobs } from "@/lib/worker";

export const dynamic = "force-dynamic";

/** For hosts without a long-running process: a scheduler calls it every minute. */
export async function POST(request: Request): Promise<Response> {
  const { CRON_SECRET, APP_URL } = env();
  const headers = { "Cache-Control": "no-store" };
  if (!CRON_SECRET) return problem(404, "not-found", "Not found");
  if (isFromAnotherSite(request.headers, APP_URL))
    return problem(403, "foreign-origin", "This request comes from another site");
  const presented = request.headers.get("authorization") ?? "";
  // Hashed first, so that both have one length and the comparison tells nothing.
  if (!timingSafeEqual(hashToken(presented), hashToken(`Bearer ${CRON_SECRET}`)))
    return problem(401, "invalid-credentials", "Wrong or missing bearer");
  return Response.json(await drainJobs(), { headers });
}

function problem(status: number, code: string, title: string): Response {
  return Response.json(
    { type: "about:blank", title, status, code },
    {
      status,
      headers: {
        "Cache-Control": "no-store",
        "Content-Type": "application/problem+json",
        ...(status === 401 && { "WWW-Authenticate": "Bearer" }),
      },
    },
  );
}
