import type { Route } from "next";
import Link from "next/link";

/** A mailed link that does not work (any more): why, and what to do. */
export function InvalidLink({ why, next }: { why: string; next: { href: Route; label: string } }) {
  return (
    <>
      <div className="grid gap-2">
        <h1 className="text-xl font-semibold tracking-tight">This link no longer works</h1>
        <p className="text-sm text-muted">{why}</p>
      </div>
      <div className="grid gap-2">
        <Link href={next.href} className="button-primary">
          {next.label}
        </Link>
        {next.href !== "/login" && (
          <Link href="/login" className="button">
            Log in
          </Link>
        )}
      </div>
    </>
  );
}
