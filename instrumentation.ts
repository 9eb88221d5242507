/** Runs once when the server starts, before the first request. */
export async function register(): Promise<void> {
  // Next replaces this constant and drops the branch from the edge bundle, but only if it is
  // spelled out like this, and only in this file. Everything else goes through lib/env.ts.
  if (process.env.NEXT_RUNTIME === "nodejs") {
    // Next's own check, so that it agrees with the installed version: see lib/incoming.ts.
    const { parseAndValidateFlightRouterState } = await import(
      "next/dist/server/app-render/parse-and-validate-flight-router-state"
    );
    await (await import("./lib/boot")).boot(parseAndValidateFlightRouterState);
  }
}
