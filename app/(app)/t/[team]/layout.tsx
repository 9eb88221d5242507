import type { Route } from "next";
import type { ReactNode } from "react";
import { NavLink } from "@/app/_ui/nav-link";
import { TeamSwitcher } from "@/app/_ui/team-switcher";
import type { TeamSession } from "@/lib/teams/lookup";
import { can } from "@/lib/teams/roles";
import { currentSession } from "@/lib/web/session";
import { PlanBar } from "./plan-bar";

/** Draws the team's navigation and guards nothing: each page has a guard of its own. */
export default async function TeamLayout({ children }: { children: ReactNode }) {
  // Below /t the session is looked up with its team.
  const session = (await currentSession()) as TeamSession | null;
  const team = session?.team;
  const hidden = !team || (team.requiresStrong && !session.strong);
  return (
    <div className="grid gap-6">
      {!hidden && <TeamNavigation team={team} teams={session.teams} />}
      {!hidden && team.planAtRisk && can(team.role, "manage-billing") && <PlanBar team={team} />}
      <div className="grid min-w-0 content-start gap-6">{children}</div>
    </div>
  );
}

function TeamNavigation({
  team,
  teams,
}: {
  team: NonNullable<TeamSession["team"]>;
  teams: TeamSession["teams"];
}) {
  const home = `/t/${team.handle}`;
  const settings = (page: string) => `${home}/settings/${page}` as Route;
  return (
    <div className="flex flex-wrap items-center gap-x-4 gap-y-2">
      {/* No more than it shows: what a client component gets is sent to the browser. */}
      <TeamSwitcher current={{ handle: team.handle, name: team.name }} teams={teams} />
      <nav aria-label="Team" className="flex flex-wrap gap-1 max-sm:-mx-2">
        <NavLink href={home as Route} exact>
          Projects
        </NavLink>
        <NavLink href={settings("members")}>Members</NavLink>
        {can(team.role, "manage-keys") && <NavLink href={settings("api-keys")}>API keys</NavLink>}
        {can(team.role, "see-activity") && <NavLink href={settings("activity")}>Activity</NavLink>}
        {can(team.role, "manage-billing") && <NavLink href={settings("billing")}>Billing</NavLink>}
        <NavLink href={settings("team")}>Team</NavLink>
      </nav>
    </div>
  );
}
