/*
 * npm run test:e2e [-- --no-build] [-- --instances=2] [-- Playwright's arguments: a file, --ui,
 * --grep …]
 */
import { command } from "@/lib/commands/terminal";
import { ensureBrowser } from "@/tests/support/browser";
import { instancesEnv, missingPrograms } from "@/tests/support/instances";
import { productionBuild, programs, run } from "@/tests/support/processes";

command(async () => {
  const given = process.argv.slice(2);
  const option = given.find((argument) => /^--instances=[1-9]$/.test(argument));
  const args = given.filter((argument) => argument !== "--no-build" && argument !== option);
  const instances = Number(option?.split("=")[1] ?? 1);
  const missing = instances > 1 ? missingPrograms() : [];
  if (missing.length > 0) throw new Error(`Several instances need ${missing.join(" and ")}.`);
  ensureBrowser();
  const built = given.includes("--no-build") || (await run(productionBuild));
  if (!built) throw new Error("The production build failed.");
  const passed = await run({
    script: programs.playwright,
    args: ["test", ...args],
    env: instancesEnv(instances),
  });
  if (!passed) process.exit(1);
});
