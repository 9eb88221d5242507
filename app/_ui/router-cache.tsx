"use client";

import { useEffect } from "react";

let holdsPages = false;

/** Stands in the shell of logged-in users: from here on, this tab's memory holds pages of theirs. */
export function MarkAuthenticatedTab() {
  useEffect(() => {
    holdsPages = true;
  }, []);
  return null;
}

/**
 * Stands on the login page. A tab whose session was ended elsewhere is redirected here without
 * loading a new document, so the router would still show the earlier pages on Back. A reload drops
 * them from memory.
 */
export function ReloadStaleTab() {
  useEffect(() => {
    if (!holdsPages) return;
    // Back may be quicker than the reload, and cancels it.
    addEventListener("popstate", () => location.reload());
    location.reload();
  }, []);
  return null;
}
