/* npm run test:e2e [-- --no-build] [-- what Playwright takes: a file, --ui, --grep …] */
import { command } from "@/lib/commands/terminal";
import { ensureBrowser } from "@/tests/support/browser";
import { productionBuild, programs, run } from "@/tests/support/processes";

command(async () => {
  const given = process.argv.slice(2);
  const args = given.filter((argument) => argument !== "--no-build");
  ensureBrowser();
  const built = given.includes("--no-build") || (await run(productionBuild));
  if (!built) throw new Error("The production build failed.");
  const passed = await run({ script: programs.playwright, args: ["test", ...args] });
  if (!passed) process.exit(1);
});
