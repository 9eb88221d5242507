import { appendFileSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import path from "node:path";

/* Prints a table at the end of a run. */

const file = path.resolve(".data", "test-results", "faults.jsonl");

export type Row = {
  fault: string;
  /** Requests sent since the fault began. */
  sent: number;
  well: number;
  /** The number of refusals by status; forms are redirected to "/unavailable". */
  refused: Record<string, number>;
  /** Requests without an answer within the limit. */
  hung: number;
  /** Milliseconds from the fault's end to the first good answer. */
  recovered: number | null;
  /** How much of what was answered with success is missing in the database. */
  lost: number | null;
  /** Sessions that were ended but are live. */
  cameBack: number | null;
  note?: string;
};

export function report(row: Row | { fault: string; missing: string }): void {
  appendFileSync(file, `${JSON.stringify(row)}\n`);
}

/** Vitest's global setup. */
export default function setup(): () => void {
  mkdirSync(path.dirname(file), { recursive: true });
  rmSync(file, { force: true });
  return () => {
    let text = "";
    try {
      text = readFileSync(file, "utf8");
    } catch {
      return; // no test got this far
    }
    const rows: (Row | { fault: string; missing: string })[] = text
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line));
    const cells = rows.flatMap((row) =>
      "missing" in row
        ? []
        : [
            [
              row.fault,
              `${row.sent}`,
              `${row.well}`,
              Object.entries(row.refused)
                .map(([status, count]) => `${count}× ${status}`)
                .join(", ") || "0",
              `${row.hung}`,
              row.recovered === null ? "-" : `${(row.recovered / 1000).toFixed(1)} s`,
              `${row.lost ?? "-"}`,
              `${row.cameBack ?? "-"}`,
              row.note ?? "",
            ],
          ],
    );
    const head = ["fault", "sent", "well", "refused", "hung", "recovered", "lost", "came back", ""];
    const widths = head.map((title, at) =>
      Math.max(title.length, ...cells.map((row) => row[at]?.length ?? 0)),
    );
    console.log("");
    for (const row of [head, ...cells])
      console.log(
        row
          .map((cell, at) => cell.padEnd(widths[at] ?? 0))
          .join("  ")
          .trimEnd(),
      );
    for (const row of rows)
      if ("missing" in row) console.log(`Not tested: ${row.fault}. Missing: ${row.missing}.`);
  };
}
