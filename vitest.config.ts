import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { type ViteUserConfig as Config, defineConfig } from "vitest/config";

/**
 * The test files that change what a later file in the same process would see (mocks, variables, the
 * working directory), or that import the tests of another file, which a process loads only once.
 * Each runs in its own process. The other files share the modules that one of them has loaded.
 */
const alone =
  /\bvi\.(mock|resetModules)\(|\bprocess\.chdir\(|\bset(Env|BillingOn|UpProvider)\(|\bimport\(".*\.test"\)/;
const isolated = readdirSync("tests", { recursive: true, encoding: "utf8" })
  .map((name) => path.posix.join("tests", name.replaceAll(path.sep, "/")))
  .filter((name) => name.endsWith(".test.ts") && alone.test(readFileSync(name, "utf8")));

const project: Config = {
  resolve: {
    alias: {
      "@": path.resolve("."),
      // It throws outside a server component's bundle, and the tests are not in one.
      "server-only": path.resolve("tests/support/server-only.ts"),
    },
  },
};

const options: Config["test"] = {
  setupFiles: ["tests/support/environment.ts", "tests/support/open-database.ts"],
  // Generous, because a busy machine is slow and a passing test does not wait for the timeouts.
  testTimeout: 300_000,
  hookTimeout: 300_000,
};

export default defineConfig({
  ...project,
  test: {
    globalSetup: "tests/support/postgres.ts",
    projects: [
      {
        ...project,
        test: {
          ...options,
          name: "shared",
          include: ["tests/**/*.test.ts"],
          exclude: isolated,
          isolate: false,
        },
      },
      { ...project, test: { ...options, name: "isolated", include: isolated } },
    ],
    // One more than the cores of a small machine: many files wait for a lock or a timer.
    maxWorkers: 3,
    tags: [
      {
        name: "thorough",
        description:
          "Takes minutes and repeats, more often or in a copy, what others try once: `npm test` leaves it out.",
      },
    ],
  },
});
