import type { MetadataRoute } from "next";
import { billingIsOn } from "@/lib/billing/entitlements";
import { env } from "@/lib/env";

export const dynamic = "force-dynamic";

/** The public pages. Add your own here. */
export default function sitemap(): MetadataRoute.Sitemap {
  const paths = ["/", "/login", "/signup", "/docs/api"];
  if (billingIsOn()) paths.push("/pricing");
  return paths.map((path) => ({ url: env().APP_URL + path }));
}
