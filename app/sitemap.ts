import type { MetadataRoute } from "next";
import { env } from "@/lib/env";

export const dynamic = "force-dynamic";

/** The public pages; add yours. */
export default function sitemap(): MetadataRoute.Sitemap {
  return ["/", "/login", "/signup", "/docs/api"].map((path) => ({ url: env().APP_URL + path }));
}
