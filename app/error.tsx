"use client";

import { Logo } from "@/app/_ui/logo";

/** Shown when a render or an action throws: what to do, and the digest that is also in the log. */
export default function ErrorPage({
  error,
  retry,
}: {
  error: Error & { digest?: string };
  retry: () => void;
}) {
  return (
    <main
      id="main"
      className="mx-auto grid w-full max-w-sm flex-1 content-center gap-4 px-4 py-16 text-center"
    >
      <p className="justify-self-center">
        <Logo />
      </p>
      <h1 className="text-2xl font-semibold tracking-tight">Something went wrong</h1>
      <p className="text-muted">
        Our server could not complete this. Nothing was saved. Please try again in a moment.
      </p>
      <button type="button" onClick={() => retry()} className="button-primary justify-self-center">
        Try again
      </button>
      {error.digest && <p className="text-sm text-muted">Error {error.digest}</p>}
    </main>
  );
}
