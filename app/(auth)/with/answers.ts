import { rateLimitMessage } from "@/app/_ui/rate-limit-message";
import { escapeAttribute, staticPage } from "@/app/_ui/static-page";

/** A redirect to a page of this site; `safeNext` has judged a `next` among the parameters. */
export function seeOther(path: string, parameters: Record<string, string> = {}): Response {
  const query = new URLSearchParams(parameters).toString();
  const headers = {
    Location: query ? `${path}?${query}` : path,
    "Cache-Control": "private, no-store",
  };
  return new Response(null, { status: 303, headers });
}

/** `back` is the page that the visit began at. */
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
