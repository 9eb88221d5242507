import type { ReactNode } from "react";
import { SettingsNavigation } from "./navigation";

/**
 * The overview page is the menu itself. On a phone, the other pages link to it instead of
 * showing the menu.
 */
export default function SettingsLayout({ children }: { children: ReactNode }) {
  return (
    <div className="grid gap-6 md:gap-10 md:not-has-[>nav>[aria-current=page]]:grid-cols-[11rem_1fr]">
      <SettingsNavigation />
      <div className="grid min-w-0 content-start gap-6">{children}</div>
    </div>
  );
}
