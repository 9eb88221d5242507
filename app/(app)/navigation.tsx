"use client";

import { Header, LogOutButton } from "@/app/_ui/header";
import { NavLink } from "@/app/_ui/nav-link";

/** `user` has only what is shown: a client component's properties are sent to the browser. */
export function Navigation({ user }: { user: { name: string; isAdmin: boolean } | null }) {
  return (
    <Header home="/dashboard">
      <nav
        aria-label="Main"
        className="order-last flex w-full flex-wrap gap-1 md:order-none md:w-auto md:flex-1"
      >
        <NavLink href="/dashboard">Dashboard</NavLink>
        <NavLink href="/settings">Settings</NavLink>
        {user?.isAdmin && <NavLink href="/admin">Admin</NavLink>}
      </nav>
      {user && (
        <div className="ml-auto flex items-center gap-3">
          <span className="max-w-40 truncate text-muted max-sm:sr-only">{user.name}</span>
          <LogOutButton />
        </div>
      )}
    </Header>
  );
}
