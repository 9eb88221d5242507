import { rateLimitMessage } from "@/app/_ui/rate-limit-message";
import { escapeAttribute, staticPage } from "@/app/_ui/static-page";
import type { ProviderVisit } from "@/lib/auth/login/provider-visits";
import { currentSession } from "@/lib/web/session";

/** Returns a redirect to a page of this site. `safeNext` has checked a `next` in `parameters`. */
export function seeOther(path: string, parameters: Record<string, string> = {}): Response {
  const query = new URLSearchParams(parameters).toString();
  const headers = {
    Location: query ? `${path}?${query}` : path,
    "Cache-Control": "private, no-store",
  };
  return new Response(null, { status: 303, headers });
}

/**
 * Redirects to the page where the visit started, with its result. The login page redirects a user
 * who is already logged in without showing a notice, so the connected accounts page shows it.
 */
export async function backTo(
  { purpose, next }: Pick<ProviderVisit, "purpose" | "next">,
  notice: string,
): Promise<Response> {
  const parameters = { next: next ?? "/dashboard", notice };
  if (purpose === "confirm") return seeOther("/confirm", parameters);
  if (purpose === "connect" || (await currentSession()))
    return seeOther("/settings/connected-accounts", { notice });
  return seeOther("/login", parameters);
}

/** Returns the page for too many attempts. `back` is the page where the visit started. */
export function tooMany(request: Request, retryAfter: number, back: string): Response {
  const response = staticPage(request.headers, {
    status: 429,
    title: "Too many attempts",
    body: `<h1>Too many attempts</h1>
<p>${rateLimitMessage(retryAfter)}</p>
<a href="${escapeAttribute(back)}">Go back</a>`,
  });
  response.headers.set("Retry-After", `${retryAfter}`);
  return response;
}
