"use client";

import { product } from "@/lib/product";
import { ThemeToggle } from "./theme-toggle";

/**
 * A client component, like the navigation of each layout. A server element is sent twice, as
 * HTML and as data for React, and rendered twice. For a client component, the data are only its
 * name and properties.
 */
export function Footer() {
  return (
    <footer className="border-t border-line">
      <div className="mx-auto flex max-w-5xl items-center justify-between gap-4 px-4 py-4 text-sm text-muted sm:px-6">
        <p className="mr-auto">{product.name}</p>
        <a href="/docs/api">API</a>
        <ThemeToggle />
      </div>
    </footer>
  );
}
