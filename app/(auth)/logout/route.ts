import { currentSession, endSession, requireSameOrigin } from "@/lib/auth/current";
import { invalidateSession } from "@/lib/auth/sessions";
import { database } from "@/lib/db/client";

/** A handler and not an action, so that the browser leaves the page for good, cached data and all. */
export async function POST(): Promise<Response> {
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
    return stillLoggedIn();
  }
  await endSession();
  const headers = { Location: "/login?notice=logged-out", "Cache-Control": "private, no-store" };
  return new Response(null, { status: 303, headers });
}

/** A log out that fails must not look like one that worked. */
function stillLoggedIn(): Response {
  const html = `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="color-scheme" content="light dark">
<meta name="viewport" content="width=device-width"><title>Not logged out · Latchkey</title>
<h1>You are still logged in</h1>
<p>Logging out did not work, because the database does not answer. Please try again in a moment.</p>
<form method="post" action="/logout"><button>Log out</button></form>`;
  return new Response(html, {
    status: 503,
    headers: { "Content-Type": "text/html; charset=utf-8", "Cache-Control": "private, no-store" },
  });
}
