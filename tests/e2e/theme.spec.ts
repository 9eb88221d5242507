import { expect, test } from "@/tests/support/end-to-end";

for (const theme of ["light", "dark"] as const) {
  test(`the ${theme} theme is in the HTML of the next page, without a flash`, async ({ page }) => {
    await page.emulateMedia({ colorScheme: theme === "light" ? "dark" : "light" });
    await page.goto("/");
    const background = () =>
      page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
    const before = await background();
    const label = theme === "light" ? "Light theme" : "Dark theme";
    await page.getByRole("button", { name: label }).click();
    await expect.poll(background).not.toBe(before);
    await expect(page.getByRole("button", { name: label })).toHaveAttribute("aria-pressed", "true");

    const chosen = await background();
    for (const path of ["/", "/login", "/signup"]) {
      const answer = await page.goto(path);
      expect(await answer?.text()).toMatch(
        new RegExp(`^<!DOCTYPE html><html[^>]* data-theme="${theme}"`),
      );
      expect(await background()).toBe(chosen);
      await expect(page.getByRole("button", { name: label })).toHaveAttribute(
        "aria-pressed",
        "true",
      );
    }
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

  // What a subdomain could set counts for nothing.
  await page.context().clearCookies();
  await page.context().addCookies([{ name: "theme", value: "dark", url: app.origin }]);
  const answer = await page.goto("/");
  expect(await answer?.text()).not.toMatch(/^<!DOCTYPE html><html[^>]*data-theme/);
});

test("an unknown theme cookie means the system theme", async ({ app, page }) => {
  const cookie = { name: "__Host-theme", value: '"><script>', url: app.origin };
  await page.context().addCookies([cookie]);
  const answer = await page.goto("/");
  expect(await answer?.text()).not.toMatch(/^<!DOCTYPE html><html[^>]*data-theme/);
});
