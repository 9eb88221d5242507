import { escapeAttribute, staticPage } from "@/app/_ui/static-page";
import { ownPath } from "@/lib/http";

export const dynamic = "force-dynamic";

/** The text of error.tsx, for a visitor without JavaScript while the database is unreachable. */
export function GET(request: Request): Response {
  const next = escapeAttribute(ownPath(new URL(request.url).searchParams.get("next"), "/"));
  return staticPage(request.headers, {
    status: 503,
    title: "Not available",
    body: `<h1>Something went wrong</h1>
<p>Our server could not complete this. Nothing was saved. Please try again in a moment.</p>
<a href="${next}">Try again</a>`,
  });
}
