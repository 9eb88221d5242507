import { writeFile } from "node:fs/promises";
import { bold, dim, green, red, say } from "@/lib/commands/terminal";
import { chart } from "./chart";
import type { Race, Result } from "./rounds";

export function printRace({ results }: Race): void {
  say(dim(`${"per second".padStart(46)}${"each".padStart(12)}   ratio (p10–p90)`));
  for (const result of results) {
    const { name, perSecond } = result;
    const columns = [name.padEnd(34), count(perSecond).padStart(12), each(perSecond).padStart(12)];
    say(`${columns.join("")}   ${ratio(result)}`);
  }
  say("");
}

export function printGoals(races: Race[]): void {
  say(bold("Goals"));
  for (const line of goals(races)) say(line.replace("✓", green("✓")).replace("✗", red("✗")));
  say("");
}

/** Saves the report next to this file, for the README to show. */
export async function saveReport(races: Race[], notes: string[], machine: string): Promise<void> {
  await writeFile(new URL("results.md", import.meta.url), markdown(races, notes, machine));
  await writeFile(new URL("results.svg", import.meta.url), chart(races, machine));
  say("Saved as tests/bench/results.md and results.svg.", "");
}

function markdown(races: Race[], notes: string[], machine: string): string {
  const tables = races.map(({ title, results }) =>
    [
      `| ${title} | per second | each | ratio (p10–p90) |`,
      "| :-- | --: | --: | --: |",
      ...results.map((result) => {
        const { name, perSecond } = result;
        return `| ${name} | ${count(perSecond)} | ${each(perSecond)} | ${ratio(result)} |`;
      }),
    ].join("\n"),
  );
  const lines = [...goals(races), ...notes].map((line) => `- ${line}`);
  return `${[preface(machine), lines.join("\n"), ...tables].join("\n\n")}\n`;
}

const preface = (machine: string) => `# What a session costs

Written by \`npm run bench\`. ${machine}.

Contestants take turns of less than a second; a ratio is to the first line of its table, within one
round, and the median of all rounds. \`getSession\` is the whole lookup: hash, one prepared statement
with the live predicate and the user, mapping. The bare select is postgres.js alone, prepared, of a
whole row by its primary key. Each contestant has a pool of ten connections to a Postgres on the same
machine, and asks for sessions drawn from the whole table, with one statement for each call. "Each" is
the time divided by the answers, however many were in flight. Client, server and database share its
cores. Of pages, "per second" is per second of the server's processor time, beside pages of Next with one
line each. As a table grows, the same work is compared with that on the smallest table.`;

function goals(races: Race[]): string[] {
  return races.flatMap(({ title, results, ours, goal }) => {
    const reached = results.find(({ name }) => name === ours)?.ratio.median;
    if (!goal || !reached) return [];
    const mark = reached >= goal ? "✓" : "✗";
    return [
      `${mark} ${ours} (${title}): ${reached.toFixed(2)} of the first, goal ${goal.toFixed(2)}`,
    ];
  });
}

export function count(n: number): string {
  return Math.round(n).toLocaleString("en");
}

function each(perSecond: number): string {
  const microseconds = 1e6 / perSecond;
  return microseconds < 1000
    ? `${microseconds.toFixed(0)} µs`
    : `${(microseconds / 1000).toFixed(1)} ms`;
}

function ratio({ ratio: { median, p10, p90 } }: Result): string {
  return `${median.toFixed(2)} (${p10.toFixed(2)}–${p90.toFixed(2)})`;
}
