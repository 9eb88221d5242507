import { defineConfig } from "@playwright/test";
import { readVariable } from "./lib/env";
import { minutes } from "./lib/time";
import { findBrowser } from "./tests/support/browser";
import type { WorkerFixtures } from "./tests/support/end-to-end";
import { instanceCount } from "./tests/support/instances";

/**
 * The thorough tests: of every page, action or limit that there is, of rare events (a theft, an
 * outage, a deploy), and of flows repeated without JavaScript. They are the files in
 * tests/e2e/thorough, and tests with this tag. `npm test` runs the others, the flows of users.
 */
const thorough = /thorough\/|@thorough/;

export default defineConfig<object, Pick<WorkerFixtures, "withoutProxy">>({
  testDir: "tests/e2e",
  globalSetup: "./tests/support/end-to-end-setup.ts",
  outputDir: "test-results",
  // Each worker has its own app and database: see tests/support/end-to-end.ts. One more than the
  // cores of a small machine, because pages wait for timers and for each other. An app of two
  // instances has twice the processes.
  workers: instanceCount() > 1 ? 2 : 3,
  // Generous, because a busy machine is slow and a passing test does not wait for the timeouts.
  timeout: minutes(10),
  expect: { timeout: minutes(1) },
  // On a CI machine, a retry tells a hiccup of the machine, which is reported as flaky, from a
  // defect. On a developer's machine, each failure counts.
  retries: readVariable("CI") ? 1 : 0,
  // A server that hangs must not hang a CI machine.
  globalTimeout: minutes(70),
  forbidOnly: true,
  reporter: [["list"]],
  projects: [
    { name: "end-to-end", grepInvert: thorough },
    { name: "thorough", grep: thorough },
    // The main flows in Chromium, Firefox and WebKit.
    { name: "engines", testDir: "tests/engines" },
    // Access must not depend on proxy.ts, so the tests of refusals run a second time without it.
    {
      name: "without proxy",
      testMatch: /(guards|origin)\.spec\.ts/,
      grepInvert: /@with-proxy/, // tests of what is allowed, which proxy.ts could not hide
      use: { withoutProxy: true },
    },
  ],
  use: {
    ignoreHTTPSErrors: true,
    // Recording takes a fifth of the run. To look into a failure: `npm run test:e2e -- --trace on`.
    trace: "off",
    launchOptions: {
      executablePath: findBrowser(),
      // The sandbox needs rights that containers and root do not have. The pages are our own.
      args: ["--no-sandbox", "--disable-quic", "--disable-background-networking"],
    },
  },
});
