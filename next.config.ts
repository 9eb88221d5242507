import type { NextConfig } from "next";
import { PHASE_DEVELOPMENT_SERVER } from "next/constants";

export default function config(phase: string): NextConfig {
  return {
    // What `npm start` runs: see lib/commands/build.ts.
    output: "standalone",
    // Otherwise Next would take a folder above this one as the root if that has a lock file.
    outputFileTracingRoot: process.cwd(),
    // No page uses next/image, and lib/commands/build.ts leaves its library out.
    images: { unoptimized: true },
    typedRoutes: true,
    poweredByHeader: false,
    reactStrictMode: true,
    // page.dev.tsx and route.dev.ts are routes of `next dev` only. A build does not contain them,
    // so a built server cannot serve them in any environment.
    pageExtensions:
      phase === PHASE_DEVELOPMENT_SERVER ? ["tsx", "ts", "dev.tsx", "dev.ts"] : ["tsx", "ts"],
    // Packages that read their own files at run time, which a bundle would not contain, and
    // packages that are rarely loaded.
    serverExternalPackages: ["graphile-worker", "stripe", "@vercel/otel"],
  };
}
