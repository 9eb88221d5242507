import type { ReactNode } from "react";
import { NavLink } from "@/app/_ui/nav-link";

export default function SettingsLayout({ children }: { children: ReactNode }) {
  return (
    <div className="grid gap-6 md:grid-cols-[11rem_1fr] md:gap-10">
      <nav aria-label="Settings" className="flex flex-wrap gap-1 md:flex-col">
        <NavLink href="/settings/profile">Profile</NavLink>
        <NavLink href="/settings/password">Password</NavLink>
        <NavLink href="/settings/passkeys">Passkeys</NavLink>
        <NavLink href="/settings/two-factor">Two-factor</NavLink>
        <NavLink href="/settings/connected-accounts">Connected accounts</NavLink>
        <NavLink href="/settings/devices">Devices</NavLink>
        <NavLink href="/settings/api-keys">API keys</NavLink>
        <NavLink href="/settings/activity">Activity</NavLink>
      </nav>
      <div className="grid min-w-0 content-start gap-6">{children}</div>
    </div>
  );
}
