import { connection } from "next/server";
import type { ReactNode } from "react";
import { Header, LogOutButton } from "@/app/_ui/header";
import { Live } from "@/app/_ui/live";
import { NavLink } from "@/app/_ui/nav-link";
import { MarkAuthenticatedTab } from "@/app/_ui/router-cache";
import { currentSession } from "@/lib/web/session";

/** Draws the shell and guards nothing: layouts do not run again on navigation, pages do. */
export default async function AppLayout({ children }: { children: ReactNode }) {
  // Never made by the build: what it shows is one user's.
  await connection();
  const session = await currentSession();
  return (
    <>
      <MarkAuthenticatedTab />
      {session && <Live session={session.id} />}
      <Header home="/dashboard">
        <nav
          aria-label="Main"
          className="order-last flex w-full flex-wrap gap-1 md:order-none md:w-auto md:flex-1"
        >
          <NavLink href="/dashboard">Dashboard</NavLink>
          <NavLink href="/settings">Settings</NavLink>
          {session?.user.role === "admin" && <NavLink href="/admin">Admin</NavLink>}
        </nav>
        {session && (
          <div className="ml-auto flex items-center gap-3">
            <span className="max-w-40 truncate text-muted max-sm:sr-only">{session.user.name}</span>
            <LogOutButton />
          </div>
        )}
      </Header>
      <main id="main" className="mx-auto w-full max-w-5xl flex-1 px-4 py-8 sm:px-6 sm:py-10">
        {children}
      </main>
    </>
  );
}
