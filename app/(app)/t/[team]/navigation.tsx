"use client";

import type { Route } from "next";
import { NavLink } from "@/app/_ui/nav-link";
import { TeamSwitcher } from "@/app/_ui/team-switcher";
import { can, type TeamRole } from "@/lib/teams/roles";

/** `team` has only what is shown: a client component's properties are sent to the browser. */
export function TeamNavigation({
  team: { handle, name, role },
  teams,
}: {
  team: { handle: string; name: string; role: TeamRole };
  teams: { handle: string; name: string }[];
}) {
  const home = `/t/${handle}`;
  const settings = (page: string) => `${home}/settings/${page}` as Route;
  return (
    <div className="flex flex-wrap items-center gap-x-4 gap-y-2">
      <TeamSwitcher current={{ handle, name }} teams={teams} />
      <nav aria-label="Team" className="flex flex-wrap gap-1 max-sm:-mx-2">
        <NavLink href={home as Route} exact>
          Projects
        </NavLink>
        <NavLink href={settings("members")}>Members</NavLink>
        {can(role, "manage-keys") && <NavLink href={settings("api-keys")}>API keys</NavLink>}
        {can(role, "see-activity") && <NavLink href={settings("activity")}>Activity</NavLink>}
        {can(role, "manage-billing") && <NavLink href={settings("billing")}>Billing</NavLink>}
        <NavLink href={settings("team")}>Team</NavLink>
      </nav>
    </div>
  );
}
