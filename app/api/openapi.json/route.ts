import { openApi } from "@/lib/api/openapi";
import { env } from "@/lib/env";

export const dynamic = "force-dynamic";

/** Public: the same document for every caller, readable from any origin. */
export async function GET(): Promise<Response> {
  return Response.json(openApi(env().APP_URL), {
    headers: { "Cache-Control": "public, max-age=300", "Access-Control-Allow-Origin": "*" },
  });
}
