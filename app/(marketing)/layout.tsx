import Link from "next/link";
import type { ReactNode } from "react";
import { Header, LogOutButton } from "@/app/_ui/header";
import { currentSession } from "@/lib/web/session";

export default async function MarketingLayout({ children }: { children: ReactNode }) {
  const session = await currentSession();
  return (
    <>
      <Header home="/">
        {session ? (
          <nav aria-label="Account" className="flex items-center gap-2">
            <Link href="/dashboard" className="button min-h-9 px-3">
              Dashboard
            </Link>
            <LogOutButton />
          </nav>
        ) : (
          <nav aria-label="Account" className="ml-auto flex items-center gap-2">
            <Link href="/login" className="button min-h-9 border-transparent px-3">
              Log in
            </Link>
            <Link href="/signup" className="button-primary min-h-9 px-3">
              Sign up
            </Link>
          </nav>
        )}
      </Header>
      <main id="main" className="flex-1">
        {children}
      </main>
    </>
  );
}
