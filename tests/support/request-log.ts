import { readFile } from "node:fs/promises";
import { expect } from "@playwright/test";
import type { App } from "./app";
import type { Answer } from "./http-client";

/* The lines of lib/request-log.ts in the log of an app. */

type Line = {
  at: string;
  id: string;
  method: string;
  path: string;
  status: number;
  ms: number;
  session?: string;
};

export async function linesOf({ log }: App): Promise<Line[]> {
  const lines = (await readFile(log, "utf8")).split("\n");
  return lines.filter((line) => line.startsWith("{")).map((line) => JSON.parse(line));
}

/** The line about the request that got this answer, once the log has it. */
export async function loggedLine(app: App, { headers }: Answer): Promise<Line> {
  const found = async () => (await linesOf(app)).filter(({ id }) => id === headers["x-request-id"]);
  await expect.poll(async () => (await found()).length).toBe(1);
  const [line] = await found();
  if (!line) throw new Error("No line has the id of this answer.");
  return line;
}
