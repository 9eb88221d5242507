/** Runs once when the server starts, before the first request. */
export async function register(): Promise<void> {
  // Next replaces this constant and drops the branch from the edge bundle; only spelled out like
  // this, and only in this file, does it know to. Everything else goes through lib/env.ts.
  if (process.env.NEXT_RUNTIME === "nodejs") (await import("./lib/boot")).boot();
}
