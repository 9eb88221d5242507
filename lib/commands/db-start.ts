import { startEmbedded } from "@/lib/dev/postgres/server";
import { command, dim, interrupted, say, step } from "./terminal";

/** Runs the embedded server in the foreground, for psql and other tools. */
command(async () => {
  const interruption = interrupted();
  const start = () => startEmbedded({ name: "dev" });
  const database = await step("Starting the database", start, () => "Database ready");
  say("", database.url, "", dim("Ctrl-C stops it, unless something else still uses it."));
  const ended = database.stopped.then(() => {
    throw new Error("The database stopped by itself. Its log is .data/postgres-dev/server.log.");
  });
  await Promise.race([interruption, ended]);
  await database.stop();
});
