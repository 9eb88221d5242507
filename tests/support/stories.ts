import { setEnv } from "@/lib/env";
import { startApp } from "./app";
import { startTestServer } from "./postgres";

/** Playwright's global set-up: one production server for all stories, told to the workers. */
export default async function setup(): Promise<() => Promise<void>> {
  const postgres = await startTestServer();
  const app = await startApp(await postgres.createDatabase("stories"));
  const { origin, port, databaseUrl, mails, log } = app;
  setEnv({ LATCHKEY_STORIES: JSON.stringify({ origin, port, databaseUrl, mails, log }) });
  return async () => {
    await app.stop();
    await postgres.stop();
  };
}
