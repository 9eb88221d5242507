import { setTimeout as sleep } from "node:timers/promises";
import { readVariable } from "@/lib/env";
import { minutes } from "@/lib/time";

/** A browser engine that the flows run in. */
export type Engine = {
  name: string;
  isInstalled: boolean;
  /** What to install, where it is not. */
  packages: string;
  /** Starts a browser with a new profile and one window. */
  open(options: { javaScript: boolean }): Promise<BrowserWindow>;
};

/**
 * What the flows need of a window. Elements are named by an XPath, which every driver takes: see `labelled`,
 * `named` and `withText`.
 */
export type BrowserWindow = {
  goto(url: string): Promise<void>;
  url(): Promise<string>;
  has(xpath: string): Promise<boolean>;
  /** Waits for the element. */
  click(xpath: string): Promise<void>;
  /** Waits for the field, and adds to what is in it. */
  type(xpath: string, text: string): Promise<void>;
  /** Those of the page's host, also those that scripts cannot read. */
  cookies(): Promise<Cookie[]>;
  /** A PNG of the viewport. */
  screenshot(): Promise<Buffer>;
  close(): Promise<void>;
};

export type Cookie = {
  name: string;
  value: string;
  secure: boolean;
  httpOnly: boolean;
  sameSite: "Lax" | "Strict" | "None";
};

/** The control with this label. */
export const labelled = (label: string): string =>
  `//*[@id = //label[normalize-space() = "${label}"]/@for]`;

/** A button or link with exactly this text. */
export const named = (name: string): string =>
  `//*[self::button or self::a][normalize-space() = "${name}"]`;

/** An element of the page's content with exactly this text. */
export const withText = (text: string): string => `//main//*[normalize-space() = "${text}"]`;

/**
 * A missing engine is left out on a developer's machine. On a build machine its tests run, and fail with the
 * sentence of `notInstalled`.
 */
export function isLeftOut({ isInstalled }: Engine): boolean {
  return !isInstalled && !readVariable("CI");
}

export function notInstalled({ name, packages }: Engine): string {
  return `${name} is not installed: install ${packages}`;
}

/** How long a step may take: on a busy machine, a development server needs long to compile a page. */
export const patience: number = minutes(4);

/** Asks until there is an answer. While one page replaces another, an error is no answer yet. */
export async function waitFor<T>(what: string, ask: () => Promise<T | undefined>): Promise<T> {
  const deadline = Date.now() + patience;
  let cause: unknown;
  while (Date.now() < deadline) {
    const answer = await ask().catch((error: unknown) => {
      cause = error;
      return undefined;
    });
    if (answer !== undefined) return answer;
    await sleep(50);
  }
  throw new Error(`Not there in time: ${what}`, { cause });
}
