import { publicJwks } from "@/lib/auth/tokens/jwt";
import { env } from "@/lib/env";

export const dynamic = "force-dynamic";

/** The public keys with which other services verify our access tokens. */
export function GET(): Response {
  return Response.json(publicJwks(env().JWT_PRIVATE_JWKS), {
    headers: { "Cache-Control": "public, max-age=300", "Access-Control-Allow-Origin": "*" },
  });
}
