import path from "node:path";
import { defineConfig } from "vitest/config";

export default defineConfig({
  resolve: {
    alias: {
      "@": path.resolve("."),
      "server-only": path.resolve("tests/support/server-only.ts"),
    },
  },
  test: {
    include: ["tests/faults/*.fault.ts"],
    globalSetup: "tests/faults/report.ts",
    setupFiles: "tests/support/environment.ts",
    // Each file has its own servers and measures how soon they answer again.
    fileParallelism: false,
    // Far above the limits of lib/db/limits.ts, after which a test decides that a request hangs.
    testTimeout: 300_000,
    hookTimeout: 300_000,
  },
});
