"use client";

import type { Route } from "next";
import { usePathname } from "next/navigation";
import type { ReactNode } from "react";
import { Link } from "./link";

/** A navigation link, marked as current on its own page and, unless `exact`, on those below it. */
export function NavLink({
  href,
  exact = false,
  children,
}: {
  href: Route;
  exact?: boolean;
  children: ReactNode;
}) {
  const path = usePathname();
  const current = exact ? path === href : `${path}/`.startsWith(`${href}/`);
  return (
    <Link href={href} aria-current={current ? "page" : undefined} className="nav-link">
      {children}
    </Link>
  );
}
