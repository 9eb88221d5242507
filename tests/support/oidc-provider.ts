import { type OpenidProvider, startOpenidProvider } from "@/lib/dev/openid";
import { freePort } from "./instances";

/** Starts the certified provider that `npm run dev` uses too, for a site at `appUrl`. */
export async function startTestProvider(appUrl: string): Promise<OpenidProvider> {
  return startOpenidProvider({ port: await freePort(), appUrl });
}
