import { expect, test } from "@/tests/support/end-to-end";

for (const theme of ["light", "dark"] as const) {
  test(`the ${theme} theme is set before the body exists, so the page does not flash`, async ({
    page,
  }) => {
    await page.addInitScript(() => {
      // The first body element, seen before the browser paints.
      new MutationObserver((_, observer) => {
        if (!document.body) return;
        observer.disconnect();
        Object.assign(window, { themeAtFirst: document.documentElement.dataset.theme });
      }).observe(document, { childList: true, subtree: true });
    });
    const themeAtFirst = () => page.evaluate(() => Reflect.get(window, "themeAtFirst"));
    await page.emulateMedia({ colorScheme: theme === "light" ? "dark" : "light" });
    await page.goto("/");
    expect(await themeAtFirst()).toBeUndefined();
    const background = () =>
      page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
    const before = await background();
    const label = theme === "light" ? "Light theme" : "Dark theme";
    await page.getByRole("button", { name: label }).click();
    await expect.poll(background).not.toBe(before);
    await expect(page.getByRole("button", { name: label })).toHaveAttribute("aria-pressed", "true");

    const chosen = await background();
    for (const path of ["/", "/login", "/nothing"]) {
      await page.goto(path);
      expect(await themeAtFirst(), path).toBe(theme);
      expect(await background(), path).toBe(chosen);
      await expect(page.getByRole("button", { name: label })).toHaveAttribute(
        "aria-pressed",
        "true",
      );
    }
    await page.getByRole("button", { name: "System theme" }).click();
    await expect.poll(background).toBe(before);
    await page.goto("/login");
    expect(await themeAtFirst()).toBeUndefined();
  });
}

test("the choice is kept in a cookie that no other host can set", async ({ app, page }) => {
  await page.goto("/");
  await page.getByRole("button", { name: "Dark theme" }).click();
  await expect(page.locator("html")).toHaveAttribute("data-theme", "dark");
  const [cookie, ...others] = await page.context().cookies();
  expect(others).toEqual([]);
  expect(cookie).toMatchObject({
    ...{ name: "__Host-theme", value: "dark", domain: new URL(app.origin).hostname, path: "/" },
    ...{ secure: true, httpOnly: false, sameSite: "Lax" },
  });

  // A cookie that a subdomain could set is ignored.
  await page.context().clearCookies();
  await page.context().addCookies([{ name: "theme", value: "dark", url: app.origin }]);
  await page.goto("/");
  await expect(page.getByRole("button", { name: "System theme" })).toHaveAttribute(
    "aria-pressed",
    "true",
  );
  await expect(page.locator("html")).not.toHaveAttribute("data-theme");
});

test("an unknown theme cookie means the system theme", async ({ app, page }) => {
  for (const value of ['"><script>', "darker", "light dark"]) {
    await page.context().addCookies([{ name: "__Host-theme", value, url: app.origin }]);
    await page.goto("/");
    await expect(page.locator("html")).not.toHaveAttribute("data-theme");
  }
});
