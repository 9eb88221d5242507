import { hashPassword } from "@/lib/auth/credentials/passwords";
import { migrate } from "@/lib/db/migrate";
import { seed } from "@/lib/dev/seed";
import {
  configuredUrl,
  readEnvFiles,
  refuseDemoUsersInPublic,
  refuseInProduction,
  requireConsent,
  withDatabase,
} from "./database";
import { command, migrated, seeded, step } from "./terminal";

command(async () => {
  readEnvFiles();
  refuseInProduction("demo users have published passwords.");
  refuseDemoUsersInPublic();
  const configured = configuredUrl();
  if (configured) requireConsent(configured, "adds users with published passwords to", "db:seed");
  await withDatabase(async ({ url }) => {
    await step("Migrating", () => migrate(url), migrated);
    await step("Adding demo data", () => seed(url, hashPassword), seeded);
  });
});
