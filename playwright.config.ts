import { defineConfig } from "@playwright/test";
import { findBrowser } from "./tests/support/browser";

export default defineConfig({
  testDir: "tests/e2e",
  globalSetup: "./tests/support/stories.ts",
  outputDir: "test-results",
  // Each worker has an app and a database of its own: see tests/support/story.ts.
  workers: 2,
  timeout: 60_000,
  // A server that hangs must not hang a build machine.
  globalTimeout: 12 * 60_000,
  forbidOnly: true,
  reporter: [["list"]],
  use: {
    ignoreHTTPSErrors: true,
    trace: "retain-on-failure",
    launchOptions: {
      executablePath: findBrowser(),
      // The sandbox needs rights that containers and root do not have; the pages are our own.
      args: ["--no-sandbox", "--disable-quic", "--disable-background-networking"],
    },
  },
});
