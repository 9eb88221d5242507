import { openApi } from "@/lib/api/openapi";
import { env } from "@/lib/env";

export const dynamic = "force-dynamic";

/** The same for all callers, and for tools of any site. */
export async function GET(): Promise<Response> {
  return Response.json(openApi(env().APP_URL), {
    headers: { "Cache-Control": "public, max-age=300", "Access-Control-Allow-Origin": "*" },
  });
}
