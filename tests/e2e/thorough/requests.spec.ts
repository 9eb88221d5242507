import type { Page } from "@playwright/test";
import { expect, test } from "@/tests/support/end-to-end";

/*
 * A page's requests besides its own: for what it shows, and none for a link until it is followed.
 */

/** Records the page's requests for documents and for the router's data, from here on. */
function pagesAskedFor(page: Page): string[] {
  const asked: string[] = [];
  page.on("request", (request) => {
    const { rsc } = request.headers();
    if (rsc || request.isNavigationRequest()) asked.push(new URL(request.url()).pathname);
  });
  return asked;
}

/**
 * Waits until React has hydrated the page and found the links in view. Before that, the
 * toggle does nothing.
 */
async function ready(page: Page): Promise<void> {
  const dark = page.getByRole("button", { name: "Dark theme" });
  await expect(async () => {
    await dark.click();
    await expect(dark).toHaveAttribute("aria-pressed", "true", { timeout: 100 });
  }).toPass();
  await page.evaluate(async () => {
    for (const _ of [1, 2]) await new Promise((frame) => requestAnimationFrame(frame));
    await new Promise((idle) => requestIdleCallback(idle));
  });
}

test("a page with a session requests no other page before a click, and then only the clicked one", async ({
  loggedIn,
}) => {
  const asked = pagesAskedFor(loggedIn);
  await loggedIn.goto("/settings/devices");
  await ready(loggedIn);
  await loggedIn.evaluate(() => Object.assign(window, { sameDocument: true }));
  const link = loggedIn.getByRole("link", { name: "Activity" });
  await link.hover();
  await link.click();
  await expect(link).toHaveAttribute("aria-current", "page");
  expect(await loggedIn.evaluate(() => "sameDocument" in window)).toBe(true);
  expect(asked).toEqual(["/settings/devices", "/settings/activity"]);
});

test("a public page requests no other page", async ({ page }) => {
  const asked = pagesAskedFor(page);
  for (const path of ["/", "/login", "/signup", "/forgot-password", "/docs/api"]) {
    asked.length = 0;
    await page.goto(path);
    await ready(page);
    await page.locator("a[href^='/']").last().hover();
    await page.goto("about:blank");
    expect(asked.filter((each) => each !== "blank")).toEqual([path]);
  }
});

test("a page loads one font", async ({ page }) => {
  for (const path of ["/", "/docs/api"]) {
    const fonts: string[] = [];
    page.on("request", (request) => {
      if (request.resourceType() === "font") fonts.push(request.url());
    });
    await page.goto(path);
    await page.evaluate(() => document.fonts.ready);
    expect(fonts).toHaveLength(1);
    page.removeAllListeners("request");
  }
});
