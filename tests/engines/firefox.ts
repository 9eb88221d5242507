import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { WebSocket } from "ws";
import { type BrowserWindow, type Cookie, type Engine, notInstalled, waitFor } from "./engine";
import { end } from "./processes";

/*
 * Firefox through WebDriver BiDi, which it supports itself, without a separate driver. Playwright's
 * own BiDi client uses commands that the ESR does not have. Nothing here runs a script in the page,
 * so it works the same without JavaScript.
 */

const program = [
  "/usr/bin/firefox-esr",
  "/usr/bin/firefox",
  "/Applications/Firefox.app/Contents/MacOS/firefox",
  "C:\\Program Files\\Mozilla Firefox\\firefox.exe",
].find((place) => existsSync(place));

export const firefox: Engine = {
  name: "Firefox",
  isInstalled: program !== undefined,
  packages: "firefox-esr or firefox",
  open,
};

async function open({ javaScript }: { javaScript: boolean }): Promise<BrowserWindow> {
  if (!program) throw new Error(notInstalled(firefox));
  const profile = await mkdtemp(path.join(os.tmpdir(), "latchkey-firefox-"));
  await writeFile(path.join(profile, "user.js"), preferences(javaScript));
  const args = ["--headless", "--no-remote", "--profile", profile, "--remote-debugging-port", "0"];
  const browser = spawn(program, args, { stdio: ["ignore", "ignore", "pipe"] });
  const close = async () => {
    await end(browser);
    await rm(profile, { recursive: true, force: true, maxRetries: 5 });
  };
  try {
    return { ...(await drive(browser.stderr)), close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function drive(output: Readable): Promise<Omit<BrowserWindow, "close">> {
  const send = await connect(await listeningAt(output));
  const capabilities = { alwaysMatch: { acceptInsecureCerts: true } };
  await send("session.new", { capabilities });
  const { contexts } = await send<Tree>("browsingContext.getTree", {});
  const [{ context }] = contexts;
  // Tall, because the pointer reaches only the viewport, and scrolling would need a script.
  const viewport = { width: 1280, height: 1600 };
  await send("browsingContext.setViewport", { context, viewport });

  const find = async (xpath: string) => {
    const locator = { type: "xpath", value: xpath };
    const what = { context, locator, maxNodeCount: 1 };
    const { nodes } = await send<{ nodes: Node[] }>("browsingContext.locateNodes", what);
    return nodes[0];
  };
  const perform = (source: object) => send("input.performActions", { context, actions: [source] });
  const click = async (xpath: string) => {
    const { sharedId } = await waitFor(xpath, () => find(xpath));
    const origin = { type: "element", element: { sharedId } };
    const actions = [
      { type: "pointerMove", x: 0, y: 0, origin },
      { type: "pointerDown", button: 0 },
      { type: "pointerUp", button: 0 },
    ];
    await perform({ type: "pointer", id: "mouse", actions });
  };

  return {
    goto: (url) => send("browsingContext.navigate", { context, url, wait: "complete" }),
    url: async () => {
      const tree = await send<Tree>("browsingContext.getTree", { root: context });
      return tree.contexts[0].url;
    },
    has: async (xpath) => (await find(xpath)) !== undefined,
    click,
    type: async (xpath, text) => {
      await click(xpath);
      const actions = [...text].flatMap((value) => [
        { type: "keyDown", value },
        { type: "keyUp", value },
      ]);
      await perform({ type: "key", id: "keyboard", actions });
    },
    cookies: async () => {
      const partition = { type: "context", context };
      const { cookies } = await send<{ cookies: BidiCookie[] }>("storage.getCookies", {
        partition,
      });
      return cookies.map(({ value, sameSite, ...rest }) => ({
        ...rest,
        value: value.value,
        sameSite: sameSites[sameSite],
      }));
    },
    screenshot: async () => {
      const { data } = await send<{ data: string }>("browsingContext.captureScreenshot", {
        context,
      });
      return Buffer.from(data, "base64");
    },
  };
}

type Tree = { contexts: [{ context: string; url: string }] };
type Node = { sharedId: string };
type BidiCookie = Omit<Cookie, "value" | "sameSite"> & {
  value: { value: string };
  sameSite: keyof typeof sameSites;
};

const sameSites = { lax: "Lax", strict: "Strict", none: "None" } as const;

/**
 * Returns the preferences. With `remote.prefs.recommended`, the default, Firefox sends no requests
 * to Mozilla's servers.
 */
function preferences(javaScript: boolean): string {
  return `user_pref("javascript.enabled", ${javaScript});\n`;
}

/** Returns the URL that Firefox prints when it is ready. */
async function listeningAt(output: Readable): Promise<string> {
  return new Promise((resolve, reject) => {
    // Keep reading: Firefox would block on a full pipe.
    const lines = createInterface({ input: output });
    lines.on("line", (line) => {
      const [, url] = /^WebDriver BiDi listening on (ws:\S+)$/.exec(line) ?? [];
      if (url) resolve(url);
    });
    lines.on("close", () => reject(new Error("Firefox ended before it listened.")));
  });
}

type Answer = { id: number; result?: unknown; error?: string; message?: string };

/** Returns a function that sends a command. Its result has the type that the protocol defines. */
async function connect(
  url: string,
): Promise<<Result = void>(method: string, params: object) => Promise<Result>> {
  const socket = new WebSocket(`${url}/session`);
  await once(socket, "open");
  const waiting = new Map<number, (answer: Answer) => void>();
  socket.on("message", (data) => {
    const answer: Answer = JSON.parse(data.toString());
    waiting.get(answer.id)?.(answer);
    waiting.delete(answer.id);
  });
  socket.on("close", () => {
    for (const [id, answer] of waiting) answer({ id, error: "closed", message: "Firefox ended." });
  });
  let last = 0;
  return async <Result>(method: string, params: object) => {
    const id = ++last;
    const answered = new Promise<Answer>((resolve) => waiting.set(id, resolve));
    socket.send(JSON.stringify({ id, method, params }));
    const { result, error, message } = await answered;
    if (error) throw new Error(`${method}: ${error}: ${message}`);
    return result as Result;
  };
}
