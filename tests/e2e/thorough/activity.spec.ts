import { expect, logIn, test } from "@/tests/support/end-to-end";
import { createUser, password } from "@/tests/support/users";

test("each event shows its label, user-agent label, IP address and time", async ({
  page,
  user,
}) => {
  await logIn(page, user.email, password);
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

test("wrong passwords of an hour share one row, with their count and the latest user-agent label and IP address", async ({
  loggedIn,
  user,
  elsewhere,
}) => {
  const attacker = await elsewhere({ extraHTTPHeaders: { "x-forwarded-for": "203.0.113.77" } });
  for (let tried = 0; tried < 3; tried++) {
    await logIn(attacker, user.email, `guess ${tried}`);
    await expect(attacker.locator("form").getByRole("alert")).toBeVisible();
  }
  await loggedIn.goto("/settings/password");
  await loggedIn.getByLabel("Current password").fill("not mine");
  await loggedIn.getByLabel("New password").fill("seven purple herons");
  await loggedIn.getByRole("button", { name: "Change password" }).click();
  await expect(loggedIn.getByLabel("Current password")).toHaveAttribute("aria-invalid", "true");

  const rows = loggedIn.locator("main ol").getByRole("listitem");
  // The events are written after the response.
  await expect(async () => {
    await loggedIn.goto("/settings/activity?show=logins");
    await expect(rows).toHaveCount(3, { timeout: 500 });
    await expect(rows.nth(1)).toContainText("(3 times)", { timeout: 500 });
  }).toPass();
  await expect(rows.nth(0)).toContainText("A wrong password was entered while you were logged in");
  await expect(rows.nth(1)).toContainText("A wrong password was entered to log in (3 times)");
  await expect(rows.nth(1)).toContainText("203.0.113.77");
});

test("a page shows 25 events, the newest first, and no event of another user", async ({
  loggedIn,
  user,
  connection: { db, sql },
}) => {
  const otherUser = await createUser(db);
  await sql`insert into audit_events (kind, user_id, user_agent, at)
    select case when n % 2 = 0 then 'logged-in' else 'name-changed' end,
      case when n % 10 = 0 then ${otherUser.id}::uuid else ${user.id}::uuid end,
      'Browser ' || n, now() + n * interval '1 second' from generate_series(1, 70) as n`;
  await loggedIn.goto("/settings/activity");
  const rows = loggedIn.locator("main ol").getByRole("listitem");
  const older = loggedIn.getByRole("link", { name: "Older" });
  // 63 of these events, plus the login before them.
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
