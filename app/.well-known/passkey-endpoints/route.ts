import { env } from "@/lib/env";

export const dynamic = "force-dynamic";

/**
 * Password managers look up our passkey pages here:
 * https://w3c.github.io/webappsec-passkey-endpoints/
 */
export function GET(): Response {
  const page = `${env().APP_URL}/settings/passkeys`;
  return Response.json({ enroll: page, manage: page });
}
