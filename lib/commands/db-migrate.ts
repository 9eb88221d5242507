import { migrate } from "@/lib/db/migrate";
import { readEnvFiles, withDatabase } from "./database";
import { command, migrated, step } from "./terminal";

command(async () => {
  readEnvFiles();
  await withDatabase(async ({ url }) => {
    await step("Migrating", () => migrate(url), migrated);
  });
});
