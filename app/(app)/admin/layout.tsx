import type { ReactNode } from "react";
import { NavLink } from "@/app/_ui/nav-link";

/** Checks no permission and shows no user data: each page has its own guard. */
export default function AdminLayout({ children }: { children: ReactNode }) {
  return (
    <div className="grid gap-6 md:grid-cols-[8rem_1fr] md:gap-8">
      <nav aria-label="Administration" className="flex flex-wrap gap-1 md:flex-col">
        <NavLink href="/admin/users">Users</NavLink>
        <NavLink href="/admin/teams">Teams</NavLink>
        <NavLink href="/admin/audit">Audit log</NavLink>
      </nav>
      <div className="grid min-w-0 content-start gap-6">{children}</div>
    </div>
  );
}
