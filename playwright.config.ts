import { defineConfig } from "@playwright/test";
import { findBrowser } from "./tests/support/browser";

export default defineConfig({
  testDir: "tests/e2e",
  globalSetup: "./tests/support/stories.ts",
  outputDir: "test-results",
  // Each story makes its own people, so stories run side by side on one server.
  fullyParallel: true,
  workers: 2,
  timeout: 60_000,
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
