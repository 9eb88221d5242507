import { hashPassword } from "@/lib/auth/passwords";
import { migrate } from "@/lib/db/migrate";
import { seed } from "@/lib/db/seed";
import { readEnvFiles, refuseInProduction, withDatabase } from "./database";
import { command, migrated, seeded, step } from "./terminal";

command(async () => {
  readEnvFiles();
  refuseInProduction("demo users have passwords that everybody knows.");
  await withDatabase(async ({ url }) => {
    await step("Migrating", () => migrate(url), migrated);
    await step("Adding demo data", () => seed(url, hashPassword), seeded);
  });
});
