import { connection } from "next/server";
import type { ReactNode } from "react";
import { Live } from "@/app/_ui/live";
import { MarkAuthenticatedTab } from "@/app/_ui/router-cache";
import { currentSession } from "@/lib/web/session";
import { Navigation } from "./navigation";

/** Renders the shell and checks no permission: layouts do not run again on navigation, pages do. */
export default async function AppLayout({ children }: { children: ReactNode }) {
  // Never prerendered: it shows one user's data.
  await connection();
  const session = await currentSession();
  return (
    <>
      <MarkAuthenticatedTab />
      {session && <Live session={session.id} />}
      <Navigation
        user={session && { name: session.user.name, isAdmin: session.user.role === "admin" }}
      />
      <main id="main" className="mx-auto w-full max-w-5xl flex-1 px-4 py-8 sm:px-6 sm:py-10">
        {children}
      </main>
    </>
  );
}
