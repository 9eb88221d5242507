import { defineConfig } from "@playwright/test";
import { readVariable } from "./lib/env";
import { minutes } from "./lib/time";
import { findBrowser } from "./tests/support/browser";
import type { WorkerFixtures } from "./tests/support/end-to-end";
import { instanceCount } from "./tests/support/instances";

/**
 * What holds for every page, action or limit that there is, what happens rarely (a theft, an outage, a deploy), and
 * flows that are repeated without JavaScript: the files in tests/e2e/thorough, and tests with this tag. `npm test`
 * runs the others, the flows of users.
 */
const thorough = /thorough\/|@thorough/;

export default defineConfig<object, Pick<WorkerFixtures, "withoutProxy">>({
  testDir: "tests/e2e",
  globalSetup: "./tests/support/end-to-end-setup.ts",
  outputDir: "test-results",
  // Each worker has an app and a database of its own: see tests/support/end-to-end.ts. One more than the cores of a
  // small machine, because pages wait for timers and for each other; an app of two instances has twice the processes.
  workers: instanceCount() > 1 ? 2 : 3,
  // Wide, because a busy machine is slow and a passing test does not wait for them.
  timeout: minutes(10),
  expect: { timeout: minutes(1) },
  // On a build machine a second try tells a hiccup of the machine, which is reported as flaky, from a
  // defect; at home each failure counts.
  retries: readVariable("CI") ? 1 : 0,
  // A server that hangs must not hang a build machine.
  globalTimeout: minutes(70),
  forbidOnly: true,
  reporter: [["list"]],
  projects: [
    { name: "end-to-end", grepInvert: thorough },
    { name: "thorough", grep: thorough },
    // The main flows in Chromium, Firefox and WebKit.
    { name: "engines", testDir: "tests/engines" },
    // Nothing about access may depend on proxy.ts, so what refuses is told a second time without it.
    {
      name: "without proxy",
      testMatch: /(guards|origin)\.spec\.ts/,
      grepInvert: /@with-proxy/, // what is allowed, and so nothing that proxy.ts could hide
      use: { withoutProxy: true },
    },
  ],
  use: {
    ignoreHTTPSErrors: true,
    // Recording costs a fifth of the run. To look into a failure: `npm run test:e2e -- --trace on`.
    trace: "off",
    launchOptions: {
      executablePath: findBrowser(),
      // The sandbox needs rights that containers and root do not have; the pages are our own.
      args: ["--no-sandbox", "--disable-quic", "--disable-background-networking"],
    },
  },
});
