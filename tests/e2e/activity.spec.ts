import { createPerson, password } from "@/tests/support/people";
import { expect, logIn, test } from "@/tests/support/story";

test("what happened stands there in words, with device, address and time", async ({
  page,
  person,
}) => {
  await logIn(page, person.email, password);
  await expect(page).toHaveURL("/dashboard");
  await page.goto("/settings/profile");
  await page.getByLabel("Name").fill("Renamed Person");
  await page.getByRole("button", { name: "Save" }).click();
  await expect(page.getByRole("status").first()).toHaveText("Your profile is saved.");

  await page.getByRole("link", { name: "Activity" }).click();
  await expect(page.getByRole("heading", { name: "Activity" })).toBeVisible();
  const rows = page.locator("main ol").getByRole("listitem");
  await expect(rows).toHaveCount(2);
  await expect(rows.first()).toContainText("Your name was changed");
  await expect(rows.last()).toContainText("Logged in");
  await expect(rows.last()).toContainText(/Chrome on \w+, 10\.\d+\.\d+\.\d+/);
  await expect(rows.last().locator("time")).toHaveAttribute("title", /UTC$/);

  const filter = page.getByRole("navigation", { name: "Filter" });
  await filter.getByRole("link", { name: "Logins" }).click();
  await expect(page).toHaveURL("/settings/activity?show=logins");
  await expect(rows).toHaveCount(1);
  await expect(rows).toContainText("Logged in");
  await expect(filter.getByRole("link", { name: "Logins" })).toHaveAttribute(
    "aria-current",
    "page",
  );
  await filter.getByRole("link", { name: "Account" }).click();
  await expect(rows).toHaveCount(1);
  await expect(rows).toContainText("Your name was changed");
  await filter.getByRole("link", { name: "Everything" }).click();
  await expect(page).toHaveURL("/settings/activity");
  await expect(rows).toHaveCount(2);
});

test("25 stand on a page, the newest first, and none of anybody else", async ({
  loggedIn,
  person,
  connection: { db, sql },
}) => {
  const stranger = await createPerson(db);
  await sql`insert into audit_events (kind, user_id, user_agent, at)
    select case when n % 2 = 0 then 'logged-in' else 'name-changed' end,
      case when n % 10 = 0 then ${stranger.id}::uuid else ${person.id}::uuid end,
      'Device ' || n, now() + n * interval '1 second' from generate_series(1, 70) as n`;
  await loggedIn.goto("/settings/activity");
  const rows = loggedIn.locator("main ol").getByRole("listitem");
  const older = loggedIn.getByRole("link", { name: "Older" });
  // 63 of these and the login before them.
  await expect(rows).toHaveCount(25);
  await older.click();
  await expect(loggedIn).toHaveURL(/before=\d+$/);
  await expect(rows).toHaveCount(25);
  await older.click();
  await expect(rows).toHaveCount(14);
  await expect(older).toHaveCount(0);

  await loggedIn.goto("/settings/activity?show=account");
  await expect(rows).toHaveCount(25);
  await older.click();
  await expect(loggedIn).toHaveURL(/show=account&before=\d+$/);
  await expect(rows).toHaveCount(10);

  for (const odd of ["before=-1", "before=x", "show=__proto__", "show=a&show=b", "before=1e99"]) {
    await loggedIn.goto(`/settings/activity?${odd}`);
    await expect(rows).toHaveCount(25);
  }
});
