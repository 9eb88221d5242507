"use client";

import { NavLink } from "@/app/_ui/nav-link";

export function SettingsNavigation() {
  return (
    <nav
      aria-label="Settings"
      className="flex flex-col gap-1 has-[>[aria-current=page]]:hidden max-md:-mx-3 max-md:-mb-4 max-md:items-start"
    >
      <NavLink href="/settings" exact>
        All settings
      </NavLink>
      <div className="hidden md:contents">
        <NavLink href="/settings/profile">Profile</NavLink>
        <NavLink href="/settings/password">Password</NavLink>
        <NavLink href="/settings/passkeys">Passkeys</NavLink>
        <NavLink href="/settings/two-factor">Two-factor</NavLink>
        <NavLink href="/settings/connected-accounts">Connected accounts</NavLink>
        <NavLink href="/settings/devices">Devices</NavLink>
        <NavLink href="/settings/api-keys">API keys</NavLink>
        <NavLink href="/settings/activity">Activity</NavLink>
      </div>
    </nav>
  );
}
