import type { Route } from "next";
import { PageHeader } from "./page";

/** The page for a mailed link that is used, expired or unknown: why, and what to do. */
export function InvalidLink({ why, next }: { why: string; next: { href: Route; label: string } }) {
  return (
    <>
      <PageHeader small title="This link no longer works">
        {why}
      </PageHeader>
      <div className="grid gap-2">
        <a href={next.href} className="button-primary">
          {next.label}
        </a>
        {next.href !== "/login" && (
          <a href="/login" className="button">
            Log in
          </a>
        )}
      </div>
    </>
  );
}
