import { rateLimitMessage } from "@/app/_ui/rate-limit-message";
import { staticPage } from "@/app/_ui/static-page";
import { exportAccount } from "@/lib/auth/account/export";
import { database } from "@/lib/db/client";
import { consume } from "@/lib/rate-limits";
import { listMemberships } from "@/lib/teams/account-end";
import { requireSameOrigin } from "@/lib/web/request";
import { requireSudo } from "@/lib/web/sudo";

/** "Download my data". A POST, because it writes an audit event. */
export async function POST(request: Request): Promise<Response> {
  try {
    await requireSameOrigin();
  } catch {
    return new Response("This request does not come from this site.\n", { status: 403 });
  }
  const session = await requireSudo("/settings/profile?notice=confirmed", {
    form: "download-data",
    values: {},
  });
  const taken = await consume(database(), "exportPerUser", session.userId);
  if (!taken.ok) return tooMany(request, taken.retryAfter);

  const account = await exportAccount(database(), session);
  const teams = await listMemberships(database(), session);
  return Response.json(
    { ...account, teams },
    {
      headers: {
        "Cache-Control": "private, no-store",
        "Content-Disposition": 'attachment; filename="my-data.json"',
      },
    },
  );
}

function tooMany(request: Request, retryAfter: number): Response {
  const response = staticPage(request.headers, {
    status: 429,
    title: "Not downloaded",
    body: `<h1>Your data was not downloaded</h1>
<p>${rateLimitMessage(retryAfter)}</p>
<a href="/settings/profile">Back to your profile</a>`,
  });
  response.headers.set("Retry-After", `${retryAfter}`);
  return response;
}
