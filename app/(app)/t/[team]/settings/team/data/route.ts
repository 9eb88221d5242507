import { notFound } from "next/navigation";
import { rateLimitMessage } from "@/app/_ui/rate-limit-message";
import { staticPage } from "@/app/_ui/static-page";
import { type Db, database } from "@/lib/db/client";
import { exportProjects } from "@/lib/projects/export";
import { consume } from "@/lib/rate-limits";
import { exportTeam } from "@/lib/teams/export";
import type { TeamScope } from "@/lib/teams/scope";
import { requireSameOrigin } from "@/lib/web/request";
import { requireTeamSudo, teamPath } from "@/lib/web/team";

/** The exports of a team's product data. Each product feature adds its own here. */
const parts: ((db: Db, scope: TeamScope) => Promise<object>)[] = [
  // One per line, so that the removal diff of a feature names only its own line.
  exportProjects,
];

/** "Download the team's data". A POST, because it writes an audit event. */
export async function POST(
  request: Request,
  { params }: RouteContext<"/t/[team]/settings/team/data">,
): Promise<Response> {
  try {
    await requireSameOrigin();
  } catch {
    return new Response("This request does not come from this site.\n", { status: 403 });
  }
  const { team } = await params;
  const scope = await requireTeamSudo(team, "/settings/team?notice=confirmed", "export", {
    form: "download-team-data",
    values: {},
  });
  const { session, handle } = scope;
  const taken = await consume(database(), "exportPerUser", session.userId);
  if (!taken.ok) return tooMany(request, handle, taken.retryAfter);

  const exported = await exportTeam(database(), scope);
  if (!exported.ok) notFound();
  const product = await Promise.all(parts.map((part) => part(database(), scope)));
  return Response.json(Object.assign({}, exported.data, ...product), {
    headers: {
      "Cache-Control": "private, no-store",
      "Content-Disposition": `attachment; filename="team-${handle}.json"`,
    },
  });
}

function tooMany(request: Request, handle: string, retryAfter: number): Response {
  const response = staticPage(request.headers, {
    status: 429,
    title: "Not downloaded",
    body: `<h1>The team's data was not downloaded</h1>
<p>${rateLimitMessage(retryAfter)}</p>
<a href="${teamPath(handle, "/settings/team")}">Back to the team</a>`,
  });
  response.headers.set("Retry-After", `${retryAfter}`);
  return response;
}
