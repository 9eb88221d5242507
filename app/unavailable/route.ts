import { escapeAttribute, staticPage } from "@/app/_ui/static-page";
import { ownPath } from "@/lib/http";

export const dynamic = "force-dynamic";

/** What error.tsx says, for who has no script and asks while there is no database. */
export function GET(request: Request): Response {
  const next = escapeAttribute(ownPath(new URL(request.url).searchParams.get("next"), "/"));
  return staticPage(request.headers, {
    status: 503,
    title: "Not available",
    body: `<h1>This did not work</h1>
<p>Something on our side does not answer. Nothing was changed or half saved; please try again in a moment.</p>
<a href="${next}">Try again</a>`,
  });
}
