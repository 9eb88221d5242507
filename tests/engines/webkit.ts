import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import type { Readable } from "node:stream";
import { childEnv } from "@/lib/env";
import { freePort } from "@/tests/support/instances";
import { type BrowserWindow, type Cookie, type Engine, notInstalled, waitFor } from "./engine";
import { end } from "./processes";

/*
 * WebKit, Safari's engine, as built for GTK, through WebDriver's HTTP. It needs a window, so it
 * gets its own display.
 */

const driver = "/usr/bin/WebKitWebDriver";
const displayServer = "/usr/bin/Xvfb";

export const webkit: Engine = {
  name: "WebKit",
  isInstalled: existsSync(driver) && existsSync(displayServer),
  packages: "webkit2gtk-driver and xvfb",
  open,
};

async function open({ javaScript }: { javaScript: boolean }): Promise<BrowserWindow> {
  if (!webkit.isInstalled) throw new Error(notInstalled(webkit));
  const { display, server } = await startDisplay();
  const port = await freePort();
  const service = spawn(driver, [`--port=${port}`, "--host=127.0.0.1"], {
    env: childEnv({ DISPLAY: display, GDK_BACKEND: "x11" }),
    stdio: "ignore",
  });
  const stop = async () => {
    await end(service);
    await end(server);
  };
  try {
    const { close, ...window } = await drive(`http://127.0.0.1:${port}`, javaScript);
    return { ...window, close: () => close().finally(stop) };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function drive(url: string, javaScript: boolean): Promise<BrowserWindow> {
  const send = async <Value = void>(method: string, path: string, body?: object) => {
    const answer = await fetch(url + path, { method, body: body && JSON.stringify(body) });
    const { value } = await answer.json();
    if (!answer.ok) throw new Error(`${method} ${path}: ${value.error}: ${value.message}`);
    return value as Value; // the type that the protocol defines
  };
  await waitFor("WebKitWebDriver", () => send<object>("GET", "/status"));
  const args = ["--automation", `--enable-javascript=${javaScript}`];
  const { sessionId } = await send<{ sessionId: string }>("POST", "/session", {
    capabilities: {
      alwaysMatch: { acceptInsecureCerts: true, "webkitgtk:browserOptions": { args } },
    },
  });
  const session = `/session/${sessionId}`;

  const find = async (value: string): Promise<string | undefined> => {
    const locator = { using: "xpath", value };
    const found = await send<Record<string, string>[]>("POST", `${session}/elements`, locator);
    return Object.values(found[0] ?? {})[0];
  };
  const element = async (xpath: string) =>
    `${session}/element/${await waitFor(xpath, () => find(xpath))}`;

  return {
    goto: (url) => send("POST", `${session}/url`, { url }),
    url: () => send<string>("GET", `${session}/url`),
    has: async (xpath) => (await find(xpath)) !== undefined,
    click: async (xpath) => send("POST", `${await element(xpath)}/click`, {}),
    type: async (xpath, text) => send("POST", `${await element(xpath)}/value`, { text }),
    cookies: () => send<Cookie[]>("GET", `${session}/cookie`),
    screenshot: async () =>
      Buffer.from(await send<string>("GET", `${session}/screenshot`), "base64"),
    close: () => send("DELETE", session),
  };
}

/** Starts Xvfb, which chooses the display number and writes it when it is ready. */
async function startDisplay(): Promise<{ display: string; server: ChildProcess }> {
  const args = ["-displayfd", "3", "-screen", "0", "1280x1000x24", "-nolisten", "tcp"];
  const server = spawn(displayServer, args, { stdio: ["ignore", "ignore", "ignore", "pipe"] });
  const number = await new Promise<string>((resolve, reject) => {
    const output = server.stdio[3] as Readable; // the pipe above
    output.once("data", (data) => resolve(`${data}`.trim()));
    server.once("exit", () => reject(new Error("Xvfb did not start.")));
  });
  return { display: `:${number}`, server };
}
