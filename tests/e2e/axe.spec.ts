import AxeBuilder from "@axe-core/playwright";
import type { Page } from "@playwright/test";
import { createLogin } from "@/tests/support/people";
import { expect, test } from "@/tests/support/story";

/** Every state a page can be in, by how to get there. `page` is logged in where `as` says so. */
type State = { as?: "user"; show(page: Page, link: string): Promise<unknown> };

const states: Record<string, State> = {
  landing: { show: (page) => page.goto("/") },
  login: { show: (page) => page.goto("/login?notice=logged-out") },
  "login with errors": {
    async show(page) {
      await page.goto("/login");
      await page.getByLabel("Email").fill("nobody@example.com");
      await page.getByLabel("Password").fill("wrong");
      await page.getByRole("button", { name: "Log in" }).click();
      await expect(page.getByRole("alert")).toBeVisible();
    },
  },
  "sign-up": { show: (page) => page.goto("/signup") },
  "check your email": { show: (page) => page.goto("/signup?notice=check-your-email") },
  "a dead link": { show: (page) => page.goto("/signup/nothing") },
  "a link with errors": {
    async show(page, link) {
      await page.goto(link);
      await page.getByLabel("Name").fill("Ada");
      await page.getByLabel("Password").fill("password1234");
      await page.getByRole("button", { name: "Create account" }).click();
      await expect(page.getByLabel("Password")).toHaveAttribute("aria-invalid", "true");
    },
  },
  "not found": { show: (page) => page.goto("/nothing") },
  dashboard: { as: "user", show: (page) => page.goto("/dashboard") },
  profile: { as: "user", show: (page) => page.goto("/settings/profile?notice=saved") },
  "profile with errors": {
    as: "user",
    async show(page) {
      await page.goto("/settings/profile");
      await page.getByLabel("Name").fill(" ");
      await page.getByRole("button", { name: "Save" }).click();
      await expect(page.getByLabel("Name")).toHaveAttribute("aria-invalid", "true");
    },
  },
  devices: { as: "user", show: (page) => page.goto("/settings/devices") },
  "log out everywhere?": {
    as: "user",
    async show(page) {
      await page.goto("/settings/devices");
      await page.getByRole("button", { name: "Log out everywhere" }).click();
      await expect(page.getByRole("dialog")).toBeVisible();
    },
  },
};

for (const [name, { as, show }] of Object.entries(states)) {
  test(`${name}: axe finds nothing, nothing sticks out`, async ({
    connection: { db, sql },
    person,
    elsewhere,
    logInElsewhere,
    mailTo,
  }) => {
    const page = as ? await logInElsewhere(person) : await elsewhere();
    if (as) await createLogin(db, person, { ip: "2001:db8:85a3:8d3:1319:8a2e:370:7348" });
    await sql`update users set name = ${"Wolfeschlegelsteinhausenbergerdorff".repeat(2)}
      where id = ${person.id}`;
    const link = name === "a link with errors" ? await signUpLink(page, mailTo) : "";

    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      await show(page, link);
      for (const width of [1280, 375, 320]) {
        await page.setViewportSize({ width, height: 800 });
        const overflow = () =>
          page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
        expect(await overflow(), `${width} px`).toBeLessThanOrEqual(0);
        if (width === 320) continue;
        const { violations } = await new AxeBuilder({ page }).analyze();
        const found = violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]);
        expect(found, `${colorScheme}, ${width} px`).toEqual([]);
      }
      await page.setViewportSize({ width: 1280, height: 800 });
    }
  });
}

async function signUpLink(
  page: Page,
  mailTo: (address: string) => Promise<{ text: string }>,
): Promise<string> {
  const email = `axe-${Date.now()}@example.com`;
  await page.goto("/signup");
  await page.getByLabel("Email").fill(email);
  await page.getByRole("button", { name: "Continue" }).click();
  return (await mailTo(email)).text.match(/https:\S+/)?.[0] ?? "";
}
