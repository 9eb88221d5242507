"use client";

import { useEffect } from "react";

let holdsPages = false;

/** Part of the logged-in layout: from then on, this tab's memory holds pages with a user's data. */
export function MarkAuthenticatedTab() {
  useEffect(() => {
    holdsPages = true;
  }, []);
  return null;
}

/**
 * Part of the login page. A tab whose session was ended elsewhere is redirected here without
 * loading a new document, so the router would still show the earlier pages on Back. A reload drops
 * them from memory.
 */
export function ReloadStaleTab() {
  useEffect(() => {
    if (!holdsPages) return;
    // Back may come before the reload and cancel it.
    addEventListener("popstate", () => location.reload());
    location.reload();
  }, []);
  return null;
}
