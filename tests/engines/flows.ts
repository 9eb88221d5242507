import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { sessionCookie } from "@/lib/auth/sessions/cookie";
import { test as base, expect } from "@/tests/support/end-to-end";
import { password } from "@/tests/support/users";
import { chromium } from "./chromium";
import type { BrowserWindow, Cookie, Engine } from "./engine";
import { isLeftOut, labelled, named, notInstalled, patience, withText } from "./engine";
import { firefox } from "./firefox";
import { webkit } from "./webkit";

/* The steps of the flows, which are the same in each engine. */

type Open = (engine: Engine, options?: { javaScript: boolean }) => Promise<BrowserWindow>;

export const test = base.extend<{
  /** Starts a browser, which is closed after the test. */
  open: Open;
}>({
  // biome-ignore lint/correctness/noEmptyPattern: Playwright wants a destructured first argument
  open: async ({}, use, info) => {
    const opened: BrowserWindow[] = [];
    await use(async (engine, options = { javaScript: true }) => {
      const window = await engine.open(options);
      opened.push(window);
      return window;
    });
    for (const [index, window] of opened.entries()) {
      if (info.status !== info.expectedStatus)
        await writeFile(info.outputPath(`window-${index}.png`), await window.screenshot());
      await window.close();
    }
  },
});

export const engines: Engine[] = [chromium, firefox, webkit];

/**
 * Declares the tests of each engine. A skipped engine appears as a skipped test whose title says
 * what to install.
 */
export function inEachEngine(declare: (engine: Engine) => void): void {
  for (const engine of engines)
    test.describe(engine.name, () => {
      if (isLeftOut(engine)) test.skip(notInstalled(engine), () => {});
      else declare(engine);
    });
}

/** Whether the window runs scripts, tested on a page of our own. */
export async function runsScripts(window: BrowserWindow): Promise<boolean> {
  const page = `<p></p><script>document.querySelector("p").id = "ran"</script>`;
  const server = createServer((_, response) =>
    response.setHeader("content-type", "text/html").end(page),
  );
  await once(server.listen(0, "127.0.0.1"), "listening");
  // The address of a listening TCP server is never a string or null.
  const { port } = server.address() as AddressInfo;
  await window.goto(`http://127.0.0.1:${port}/`);
  await expect.poll(() => window.has("//p"), { timeout: patience }).toBe(true);
  server.closeAllConnections();
  server.close();
  return window.has(`//p[@id = "ran"]`);
}

/** Submits the sign-up form and waits for the page that says a mail was sent. */
export async function askForSignUp(
  window: BrowserWindow,
  origin: string,
  email: string,
): Promise<void> {
  await window.goto(`${origin}/signup`);
  await window.type(labelled("Email"), email);
  await window.click(named("Continue"));
  await expectText(window, "Check your email");
}

/** Fills in the page that the mailed link opens. */
export async function createAccount(window: BrowserWindow): Promise<void> {
  await window.type(labelled("Name"), "Ada Walker");
  await window.type(labelled("Password"), password);
  await window.click(named("Create account"));
  await expectPath(window, "/dashboard");
}

export async function logIn(window: BrowserWindow, email: string): Promise<void> {
  await window.type(labelled("Email"), email);
  await window.type(labelled("Password"), password);
  await window.click(named("Log in"));
  await expectPath(window, "/dashboard");
}

export async function logOut(window: BrowserWindow): Promise<void> {
  await window.click(named("Log out"));
  await expectPath(window, "/login");
}

export async function expectPath(window: BrowserWindow, path: string): Promise<void> {
  const current = async () => new URL(await window.url()).pathname;
  await expect.poll(current, { timeout: patience }).toBe(path);
}

export async function expectText(window: BrowserWindow, text: string): Promise<void> {
  await expect
    .poll(() => window.has(withText(text)), { message: text, timeout: patience })
    .toBe(true);
}

/** Expects the browser to have stored this origin's session cookie, by name and attributes. */
export async function expectSessionCookie(window: BrowserWindow, origin: string): Promise<void> {
  const { name, attributes } = sessionCookie(origin);
  const { httpOnly, secure } = attributes;
  const expected = { name, httpOnly, secure, sameSite: "Lax" };
  expect(await sessionCookies(window)).toEqual([expect.objectContaining(expected)]);
}

/** Returns the session cookies under any of their names, so that a test also finds a wrong name. */
export async function sessionCookies(window: BrowserWindow): Promise<Cookie[]> {
  return (await window.cookies()).filter(({ name }) => /(^|-)session$/.test(name));
}
