import path from "node:path";
import { defineConfig } from "vitest/config";
import { readVariable } from "./lib/env";

export default defineConfig({
  resolve: {
    alias: {
      "@": path.resolve("."),
      // It throws outside of a server component's bundle; the tests are neither.
      "server-only": path.resolve("tests/support/server-only.ts"),
    },
  },
  test: {
    include: ["tests/**/*.test.ts"],
    globalSetup: "tests/support/postgres.ts",
    setupFiles: "tests/support/environment.ts",
    // One more than the cores of a small machine: many files wait for a lock or a timer.
    maxWorkers: 3,
    // Wide, because a busy machine is slow and a passing test does not wait for them.
    testTimeout: 300_000,
    // As in playwright.config.ts.
    retry: readVariable("CI") ? 1 : 0,
    hookTimeout: 300_000,
    tags: [
      {
        name: "thorough",
        description:
          "Takes minutes and repeats, more often or in a copy, what others try once: `npm test` leaves it out.",
      },
    ],
  },
});
