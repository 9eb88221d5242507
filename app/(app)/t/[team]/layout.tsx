import type { ReactNode } from "react";
import type { TeamSession } from "@/lib/teams/lookup";
import { can } from "@/lib/teams/roles";
import { currentSession } from "@/lib/web/session";
import { TeamNavigation } from "./navigation";
import { PlanBar } from "./plan-bar";

/** Renders the team's navigation and checks no permission: each page has its own guard. */
export default async function TeamLayout({ children }: { children: ReactNode }) {
  // Below /t, the session is looked up together with its team.
  const session = (await currentSession()) as TeamSession | null;
  const team = session?.team;
  const hidden = !team || (team.requiresStrong && !session.strong);
  return (
    <div className="grid gap-6">
      {!hidden && (
        <TeamNavigation
          team={{ handle: team.handle, name: team.name, role: team.role }}
          teams={session.teams}
        />
      )}
      {!hidden && team.planAtRisk && can(team.role, "manage-billing") && <PlanBar team={team} />}
      <div className="grid min-w-0 content-start gap-6">{children}</div>
    </div>
  );
}
