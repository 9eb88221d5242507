import type { ReactNode } from "react";
import { Logo } from "./logo";

/** The top bar of a page: logo, navigation, log-out. Public pages use it too, hence `<a>`. */
export function Header({ home, children }: { home: "/" | "/dashboard"; children?: ReactNode }) {
  return (
    <header className="border-b border-line bg-surface">
      <div className="mx-auto flex max-w-5xl flex-wrap items-center gap-x-1 gap-y-2 px-4 py-3 text-sm sm:px-6">
        <a href={home} className="mr-auto rounded-md sm:mr-5">
          <Logo />
        </a>
        {children}
      </div>
    </header>
  );
}

/** A plain form on purpose: the browser loads a new document, which drops all cached pages. */
export function LogOutButton() {
  return (
    <form method="post" action="/logout">
      <button type="submit" className="button min-h-9 px-3">
        Log out
      </button>
    </form>
  );
}
