import type { NextConfig } from "next";
import { PHASE_DEVELOPMENT_SERVER } from "next/constants";

export default function config(phase: string): NextConfig {
  return {
    typedRoutes: true,
    poweredByHeader: false,
    reactStrictMode: true,
    // page.dev.tsx and route.dev.ts are routes of `next dev` alone: a build does not contain them,
    // so no environment of a built server can serve them.
    pageExtensions:
      phase === PHASE_DEVELOPMENT_SERVER ? ["tsx", "ts", "dev.tsx", "dev.ts"] : ["tsx", "ts"],
    // Read their own files at run time, which a bundle would not hold.
    serverExternalPackages: ["graphile-worker", "stripe"],
  };
}
