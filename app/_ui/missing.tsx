"use client";

import type { Route } from "next";
import { Header } from "./header";

/**
 * Shown in place of a page that is not found. A client component, because Next adds it to every
 * page that could call `notFound()`: this way only its name is added, and it is not rendered.
 */
export function Missing({ home }: { home: { href: Route; label: string } }) {
  return (
    <div className="mx-auto grid w-full max-w-sm content-center gap-4 py-8 text-center">
      <h1 className="text-2xl font-semibold tracking-tight">Page not found</h1>
      <p className="text-muted">The URL may be mistyped, or the page has moved.</p>
      <a href={home.href} className="button justify-self-center">
        {home.label}
      </a>
    </div>
  );
}

/** The same content as a complete page, where no layout surrounds it. */
export function MissingPage() {
  return (
    <>
      <Header home="/" />
      <main id="main" className="grid flex-1 px-4 py-8">
        <Missing home={{ href: "/", label: "Go to the home page" }} />
      </main>
    </>
  );
}
