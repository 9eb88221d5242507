import { readFile } from "node:fs/promises";
import { expect } from "@playwright/test";
import type { App } from "./app";
import type { Answer } from "./http-client";

/* Reads the lines that lib/request-log.ts writes into an app's log. */

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

/** Returns the line about the request with this response, once it is in the log. */
export async function loggedLine(app: App, { headers }: Answer): Promise<Line> {
  const found = async () => (await linesOf(app)).filter(({ id }) => id === headers["x-request-id"]);
  await expect.poll(async () => (await found()).length).toBe(1);
  const [line] = await found();
  if (!line) throw new Error("No line has the id of this answer.");
  return line;
}
