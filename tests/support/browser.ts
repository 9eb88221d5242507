import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { chromium } from "@playwright/test";
import { readVariable } from "@/lib/env";

const installed = [
  "/usr/bin/chromium-headless-shell", // without a window: takes half the time of the others
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/usr/bin/google-chrome-stable",
  "/snap/bin/chromium",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  "/Applications/Chromium.app/Contents/MacOS/Chromium",
  "C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe",
  "C:\\Program Files (x86)\\Google\\Chrome\\Application\\chrome.exe",
];

/**
 * Returns a browser for the end-to-end tests: an installed one, else Playwright's download, else
 * the distribution's package. If none works, throws one sentence that says what to install.
 */
export function ensureBrowser(): string {
  return (
    findBrowser() ??
    afterTrying(process.execPath, [
      "node_modules/@playwright/test/cli.js",
      "install",
      "chromium",
    ]) ??
    afterTrying("apt-get", ["install", "-y", "-qq", "chromium-headless-shell"]) ??
    (afterTrying("apt-get", ["update", "-qq"]) ||
      afterTrying("apt-get", ["install", "-y", "-qq", "chromium-headless-shell"])) ??
    afterTrying("apt-get", ["install", "-y", "-qq", "chromium"]) ??
    fail()
  );
}

export function findBrowser(): string | undefined {
  const named = readVariable("CHROME_PATH");
  return [named, ...installed, chromium.executablePath()].find((path) => path && existsSync(path));
}

function afterTrying(command: string, args: string[]): string | undefined {
  try {
    execFileSync(command, args, { stdio: "inherit" });
  } catch {
    // The caller tries the next command, and `fail` reports what to do.
  }
  return findBrowser();
}

function fail(): never {
  throw new Error(
    "No browser found for the end-to-end tests: install Chrome or Chromium, or set CHROME_PATH to one.",
  );
}
