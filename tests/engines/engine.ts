import { setTimeout as sleep } from "node:timers/promises";
import { readVariable } from "@/lib/env";
import { minutes } from "@/lib/time";

/** A browser engine that the flows run in. */
export type Engine = {
  name: string;
  isInstalled: boolean;
  /** The packages to install if the engine is missing. */
  packages: string;
  /** Starts a browser with a new profile and one window. */
  open(options: { javaScript: boolean }): Promise<BrowserWindow>;
};

/**
 * The operations that the flows need of a window. Elements are located by an XPath, which every
 * driver accepts: see `labelled`, `named` and `withText`.
 */
export type BrowserWindow = {
  goto(url: string): Promise<void>;
  url(): Promise<string>;
  has(xpath: string): Promise<boolean>;
  /** Waits for the element. */
  click(xpath: string): Promise<void>;
  /** Waits for the field, and appends the text to its value. */
  type(xpath: string, text: string): Promise<void>;
  /** The cookies of the page's host, including those that scripts cannot read. */
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

/** Returns the XPath of the control with this label. */
export const labelled = (label: string): string =>
  `//*[@id = //label[normalize-space() = "${label}"]/@for]`;

/** Returns the XPath of a button or link with exactly this text. */
export const named = (name: string): string =>
  `//*[self::button or self::a][normalize-space() = "${name}"]`;

/** Returns the XPath of an element of the page's content with exactly this text. */
export const withText = (text: string): string => `//main//*[normalize-space() = "${text}"]`;

/**
 * Whether the engine's tests are skipped. On a developer's machine a missing engine is skipped. On
 * a build machine its tests run, and fail with the message of `notInstalled`.
 */
export function isLeftOut({ isInstalled }: Engine): boolean {
  return !isInstalled && !readVariable("CI");
}

export function notInstalled({ name, packages }: Engine): string {
  return `${name} is not installed: install ${packages}`;
}

/** The timeout of a step: on a busy machine, a development server takes long to compile a page. */
export const patience: number = minutes(4);

/**
 * Repeats `ask` until it returns a value. An error is ignored until the timeout, because it may
 * occur while one page replaces another.
 */
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
