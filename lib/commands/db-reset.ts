import { rm } from "node:fs/promises";
import { hashPassword } from "@/lib/auth/credentials/passwords";
import { standInFile } from "@/lib/billing/stand-in/start";
import { connect } from "@/lib/db/client";
import { migrate } from "@/lib/db/migrate";
import { deleteEmbedded } from "@/lib/dev/postgres/server";
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
  refuseInProduction("this deletes every row.");
  refuseDemoUsersInPublic();
  const configured = configuredUrl();
  if (configured) requireConsent(configured, "deletes everything in", "db:reset");
  const deleted = !configured && (await deleteFiles());

  await withDatabase(async ({ url }) => {
    if (!deleted)
      await step(
        "Dropping the tables",
        () => dropTables(url),
        () => "Tables dropped",
      );
    await step("Migrating", () => migrate(url), migrated);
    await step("Adding demo data", () => seed(url, hashPassword), seeded);
  });
});

/**
 * Deletes the databases' files. Returns false while a running server uses them: then it stays up,
 * and its tables are dropped.
 */
async function deleteFiles(): Promise<boolean> {
  await deleteEmbedded({ name: "test" });
  const deleted = await deleteEmbedded({ name: "dev" });
  // The stand-in's customers belong to teams that are gone.
  if (deleted) await rm(standInFile, { force: true });
  return deleted;
}

async function dropTables(url: string): Promise<void> {
  const { sql } = connect(url, { max: 1 });
  try {
    await sql`drop schema if exists drizzle cascade`;
    await sql`drop schema if exists graphile_worker cascade`;
    await sql`drop schema if exists public cascade`;
    await sql`create schema public`;
  } finally {
    await sql.end();
  }
}
