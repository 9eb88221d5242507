import type { NextConfig } from "next";

const config: NextConfig = {
  typedRoutes: true,
  poweredByHeader: false,
  reactStrictMode: true,
  // Read their own files at run time, which a bundle would not hold.
  serverExternalPackages: ["graphile-worker"],
};

export default config;
