import { setEnv } from "@/lib/env";
import { startTestServer } from "./postgres";

/**
 * Playwright's global setup: one Postgres for all workers. Each starts its own app (end-to-end.ts).
 */
export default async function setup(): Promise<() => Promise<void>> {
  const { url, template, stop } = await startTestServer();
  setEnv({ LATCHKEY_END_TO_END: JSON.stringify({ url, template }) });
  return stop;
}
