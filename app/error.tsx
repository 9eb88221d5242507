"use client";

import { Logo } from "@/app/_ui/logo";

/** What a visitor sees when something broke: what it means, what to do, and a number for the log. */
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
      <h1 className="text-2xl font-semibold tracking-tight">This did not work</h1>
      <p className="text-muted">
        Something on our side does not answer. Nothing you entered was changed or half saved; please
        try again in a moment.
      </p>
      <button type="button" onClick={() => retry()} className="button-primary justify-self-center">
        Try again
      </button>
      {error.digest && <p className="text-sm text-muted">Error {error.digest}</p>}
    </main>
  );
}
