/*
 * Runs `npm test`, and with `--all` `npm run test:all`. The stages likely to fail soonest run
 * first, and the run stops after the first stage that fails. The build does not need the unit
 * tests, so it runs while they wait for locks and timers; it also checks the types. Without
 * `--all`, the run leaves out the tests marked as thorough, the three engines and the faults.
 */
import { readFile, rm } from "node:fs/promises";
import path from "node:path";
import { bold, command, green, red } from "@/lib/commands/terminal";
import { readVariable } from "@/lib/env";
import { seconds } from "@/lib/time";
import { ensureBrowser } from "@/tests/support/browser";
import { instancesEnv, missingPrograms } from "@/tests/support/instances";
import { type Program, productionBuild, programs, run } from "@/tests/support/processes";

type Count = { passed: number; failed: number };

/** One part of a stage. */
type Part = { name: string; program: Program; held?: boolean; count?: () => Promise<Count> };

const results = path.resolve(".data", "test-results");
const vitestResults = path.join(results, "vitest.json");
const faultResults = path.join(results, "vitest-faults.json");
const playwrightResults = path.join(results, "playwright.json");

const all = process.argv.includes("--all");

/** With `--all`, two instances if the programs around them are installed: support/instances.ts. */
const missing = all ? missingPrograms() : [];
const instances = !all || missing.length > 0 ? 1 : 2;

/** The parts of a stage run at the same time. */
const stages: Part[][] = [
  [{ name: "Lint", program: { script: programs.biome, args: ["check", "."] } }],
  [
    {
      name: "Unit and integration tests",
      program: {
        script: programs.vitest,
        args: [
          ...["run", "--reporter=default", "--reporter=json", `--outputFile=${vitestResults}`],
          ...(all ? [] : ["--tags-filter=!thorough"]),
          // As in playwright.config.ts. Vite warns about a config that imports our own files.
          ...(readVariable("CI") ? ["--retry=1"] : []),
        ],
      },
      count: () => countVitest(vitestResults),
    },
    {
      name: "Types and production build",
      program: productionBuild,
      held: true,
    },
  ],
  [
    {
      name: "End-to-end tests",
      program: {
        script: programs.playwright,
        args: ["test", "--reporter=list,json", ...(all ? [] : ["--project=end-to-end"])],
        env: { PLAYWRIGHT_JSON_OUTPUT_FILE: playwrightResults, ...instancesEnv(instances) },
      },
      count: countPlaywright,
    },
  ],
];

if (all)
  stages.push([
    {
      name: "Faults",
      program: {
        script: programs.vitest,
        args: [
          ...["run", "--config", "tests/faults/vitest.config.ts"],
          ...["--reporter=default", "--reporter=json", `--outputFile=${faultResults}`],
        ],
      },
      count: () => countVitest(faultResults),
    },
  ]);

command(async () => {
  const total: Count = { passed: 0, failed: 0 };
  await rm(results, { recursive: true, force: true });
  ensureBrowser();
  if (missing.length > 0)
    console.log(`End-to-end tests run on one instance: ${missing.join(" and ")} not installed.`);
  for (const stage of stages) {
    const counts = await Promise.all(stage.map(async (part) => countOf(part, await runPart(part))));
    for (const { passed, failed } of counts) {
      total.passed += passed;
      total.failed += failed;
    }
    if (total.failed > 0) break;
  }
  console.log(`\n${total.passed} passed, ${total.failed} failed`);
  if (total.failed > 0) process.exit(1);
});

async function runPart({ name, program, held }: Part): Promise<boolean> {
  const start = performance.now();
  console.log(`\n${bold(name)}`);
  const succeeded = await run(program, held);
  const took = ((performance.now() - start) / seconds(1)).toFixed(1);
  console.log(`${succeeded ? green("✓") : red("✗")} ${name}: ${took} s`);
  return succeeded;
}

/**
 * Counts a part's tests. A part that fails without a failed test (a type error, a crash) counts
 * as one failure.
 */
async function countOf({ count }: Part, succeeded: boolean): Promise<Count> {
  const { passed, failed } = (await count?.().catch(() => undefined)) ?? { passed: 0, failed: 0 };
  return { passed, failed: succeeded ? failed : Math.max(1, failed) };
}

async function countVitest(file: string): Promise<Count> {
  const { numPassedTests, numFailedTests } = JSON.parse(await readFile(file, "utf8"));
  return { passed: numPassedTests, failed: numFailedTests };
}

async function countPlaywright(): Promise<Count> {
  const { stats } = JSON.parse(await readFile(playwrightResults, "utf8"));
  return { passed: stats.expected + stats.flaky, failed: stats.unexpected };
}
