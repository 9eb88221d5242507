import Link from "next/link";
import type { ReactNode } from "react";
import { Header, LogOutButton } from "@/app/_ui/header";
import { billingIsOn } from "@/lib/billing/entitlements";
import { currentSession } from "@/lib/web/session";

export default async function MarketingLayout({ children }: { children: ReactNode }) {
  const session = await currentSession();
  return (
    <>
      <Header home="/">
        {billingIsOn() && <Pricing />}
        {session ? (
          <nav aria-label="Account" className="ml-auto flex items-center gap-2">
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

function Pricing() {
  return (
    <nav
      aria-label="Main"
      // The narrowest screens have no room for it beside the buttons.
      className="max-[22rem]:order-last max-[22rem]:-ml-3 max-[22rem]:w-full"
    >
      <Link href="/pricing" className="button min-h-9 border-transparent px-3 text-muted">
        Pricing
      </Link>
    </nav>
  );
}
