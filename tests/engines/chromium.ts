import { chromium as playwright } from "@playwright/test";
import { findBrowser } from "@/tests/support/browser";
import { type BrowserWindow, type Engine, notInstalled, patience } from "./engine";

/** Chromium through Playwright, as in the other end-to-end tests. */
export const chromium: Engine = {
  name: "Chromium",
  isInstalled: findBrowser() !== undefined,
  packages: "chromium-headless-shell or chromium",
  open,
};

async function open({ javaScript }: { javaScript: boolean }): Promise<BrowserWindow> {
  if (!chromium.isInstalled) throw new Error(notInstalled(chromium));
  const browser = await playwright.launch({
    executablePath: findBrowser(),
    args: ["--no-sandbox", "--disable-quic", "--disable-background-networking"],
  });
  const page = await browser.newPage({ javaScriptEnabled: javaScript, ignoreHTTPSErrors: true });
  page.setDefaultTimeout(patience);
  const find = (xpath: string) => page.locator(`xpath=${xpath}`).first();
  return {
    goto: async (url) => void (await page.goto(url)),
    url: async () => page.url(),
    has: async (xpath) => (await find(xpath).count()) > 0,
    click: (xpath) => find(xpath).click(),
    type: (xpath, text) => find(xpath).pressSequentially(text),
    cookies: () => page.context().cookies(page.url()),
    screenshot: () => page.screenshot(),
    close: () => browser.close(),
  };
}
