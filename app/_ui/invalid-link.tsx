import type { Route } from "next";
import Link from "next/link";
import { PageHeader } from "./page";

/** The page of a mailed link that is used, expired or unknown: why, and what to do. */
export function InvalidLink({ why, next }: { why: string; next: { href: Route; label: string } }) {
  return (
    <>
      <PageHeader small title="This link no longer works">
        {why}
      </PageHeader>
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
