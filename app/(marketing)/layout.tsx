import type { ReactNode } from "react";
import { Header } from "@/app/_ui/header";
import { billingIsOn } from "@/lib/billing/entitlements";

/** The same for every visitor. `/login` and `/signup` redirect a user who has a session. */
export default function MarketingLayout({ children }: { children: ReactNode }) {
  return (
    <>
      <Header home="/">
        {billingIsOn() && <Pricing />}
        <nav aria-label="Account" className="ml-auto flex items-center gap-2">
          <a href="/login" className="button min-h-9 border-transparent px-3">
            Log in
          </a>
          <a href="/signup" className="button-primary min-h-9 px-3">
            Sign up
          </a>
        </nav>
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
      // On the narrowest screens, the link does not fit beside the buttons.
      className="max-[22rem]:order-last max-[22rem]:-ml-3 max-[22rem]:w-full"
    >
      <a href="/pricing" className="button min-h-9 border-transparent px-3 text-muted">
        Pricing
      </a>
    </nav>
  );
}
