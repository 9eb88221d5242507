import type { ReactNode } from "react";
import { NavLink } from "@/app/_ui/nav-link";

/** The overview is the menu itself. On a phone the other pages have a link to it in place of the menu. */
export default function SettingsLayout({ children }: { children: ReactNode }) {
  return (
    <div className="grid gap-6 md:gap-10 md:not-has-[>nav>[aria-current=page]]:grid-cols-[11rem_1fr]">
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
      <div className="grid min-w-0 content-start gap-6">{children}</div>
    </div>
  );
}
