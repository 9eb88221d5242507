import { staticPage } from "@/app/_ui/static-page";
import { invalidateSession } from "@/lib/auth/sessions/end";
import { database } from "@/lib/db/client";
import { deleteSessionCookie } from "@/lib/web/cookies";
import { requireSameOrigin } from "@/lib/web/request";
import { currentSession } from "@/lib/web/session";

/** Not an action, so that the browser loads a new document, which drops all cached data. */
export async function POST(request: Request): Promise<Response> {
  try {
    await requireSameOrigin();
  } catch {
    return new Response("This request does not come from this site.\n", { status: 403 });
  }
  try {
    const session = await currentSession();
    if (session) await invalidateSession(database(), session, session.id);
  } catch (error) {
    console.error("Log out failed:", error);
    return stillLoggedIn(request);
  }
  await deleteSessionCookie();
  const headers = { Location: "/login?notice=logged-out", "Cache-Control": "private, no-store" };
  return new Response(null, { status: 303, headers });
}

/** A failed log-out must not look like a successful one. */
function stillLoggedIn(request: Request): Response {
  return staticPage(request.headers, {
    status: 503,
    title: "Not logged out",
    body: `<h1>You are still logged in</h1>
<p>Logging out did not work, because the database does not answer. Please try again in a moment.</p>
<form method="post" action="/logout"><button>Log out</button></form>`,
  });
}
