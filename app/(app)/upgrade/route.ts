import { notFound, redirect } from "next/navigation";
import { billingIsOn } from "@/lib/billing/entitlements";
import { database } from "@/lib/db/client";
import { can } from "@/lib/teams/roles";
import { listTeams } from "@/lib/teams/teams";
import { currentSession } from "@/lib/web/session";
import { teamPath } from "@/lib/web/team";

/**
 * One URL for every visitor of /pricing. Redirects an owner to the billing page of their team, and
 * others to where they can get a team. A new account goes to /dashboard, which asks for the team's
 * name and so starts the trial.
 */
export async function GET(): Promise<Response> {
  if (!billingIsOn()) notFound();
  const session = await currentSession();
  if (!session) redirect("/signup?next=/upgrade");
  const owned = (await listTeams(database(), session)).filter(({ role }) =>
    can(role, "manage-billing"),
  );
  const team = owned.find(({ handle }) => handle === session.data.lastTeam) ?? owned[0];
  redirect(team ? teamPath(team.handle, "/settings/billing") : "/dashboard");
}
