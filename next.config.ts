import type { NextConfig } from "next";
import { PHASE_DEVELOPMENT_SERVER } from "next/constants";

export default function config(phase: string): NextConfig {
  return {
    // What `npm start` runs: see lib/commands/build.ts.
    output: "standalone",
    // Next would take a folder above this one for the root where that has a lock file.
    outputFileTracingRoot: process.cwd(),
    // No page uses next/image, and lib/commands/build.ts leaves its library out.
    images: { unoptimized: true },
    typedRoutes: true,
    poweredByHeader: false,
    reactStrictMode: true,
    // page.dev.tsx and route.dev.ts are routes of `next dev` alone: a build does not contain them,
    // so no environment of a built server can serve them.
    pageExtensions:
      phase === PHASE_DEVELOPMENT_SERVER ? ["tsx", "ts", "dev.tsx", "dev.ts"] : ["tsx", "ts"],
    // Read their own files at run time, which a bundle would not hold. And what is rarely loaded.
    serverExternalPackages: ["graphile-worker", "stripe", "@vercel/otel"],
  };
}
