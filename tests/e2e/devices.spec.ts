import { sessionPolicy } from "@/lib/auth/policy";
import { expect, test } from "@/tests/support/end-to-end";
import { createLogin, createUser } from "@/tests/support/users";

const IPHONE =
  "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1";

test("each row shows device, IP address, times and login method", async ({
  loggedIn,
  user,
  connection: { db, sql },
}) => {
  const phone = await createLogin(db, user, { userAgent: IPHONE, ip: "203.0.113.7" });
  await sql`update sessions set created_at = now() - interval '3 days',
    last_seen_at = now() - interval '2 hours' where id = ${phone.session.id}`;
  await loggedIn.goto("/settings/devices");

  const rows = loggedIn.getByRole("listitem");
  await expect(rows).toHaveCount(2);
  await expect(rows.first()).toContainText("This device");
  const row = rows.nth(1);
  await expect(row).toContainText("Safari on iPhone");
  await expect(row).toContainText("203.0.113.7");
  await expect(row).toContainText(/Last active\s*2 hours ago/);
  await expect(row).toContainText(/Signed in\s*3 days ago/);
  await expect(row).toContainText("Password");
  await expect(row).not.toContainText("This device");
  for (const time of await row.locator("time").all()) {
    expect(Date.parse((await time.getAttribute("datetime")) ?? "")).toBeGreaterThan(0);
    await expect(time).toHaveAttribute("title", /UTC$/);
  }
  await expect(row.getByRole("button", { name: "Log out Safari on iPhone" })).toBeVisible();
});

test("a device that is gone, unknown or another user's gets the same answer", async ({
  loggedIn,
  user,
  connection: { db, sql },
}) => {
  const otherUser = await createLogin(db, await createUser(db));
  const gone = await createLogin(db, user);
  await sql`delete from sessions where id = ${gone.session.id}`;
  for (const id of [gone.session.id, otherUser.session.id, "not an id", ""]) {
    await createLogin(db, user, { userAgent: IPHONE });
    await loggedIn.goto("/settings/devices");
    const form = loggedIn.locator("form").filter({ hasText: "Safari on iPhone" }).first();
    await form.locator("input[name=id]").evaluate((input, value) => {
      if (input instanceof HTMLInputElement) input.value = value;
    }, id);
    await form.getByRole("button").click();
    await expect(loggedIn).toHaveURL("/settings/devices?notice=device-gone");
    await expect(loggedIn.getByRole("status")).toHaveText("That device was already logged out.");
  }
  const [row] = await sql`select 1 from sessions where id = ${otherUser.session.id}`;
  expect(row).toBeDefined();
});

test("a login beyond the cap ends the session that was unseen the longest", async ({
  loggedIn,
  user,
  connection: { db, sql },
}) => {
  const oldest = await createLogin(db, user, { userAgent: IPHONE });
  await sql`update sessions set last_seen_at = now() - interval '1 day' where id = ${oldest.session.id}`;
  for (let i = 2; i < sessionPolicy.sessionsPerUser + 1; i++) await createLogin(db, user);
  await loggedIn.goto("/settings/devices");
  await expect(loggedIn.getByRole("listitem")).toHaveCount(sessionPolicy.sessionsPerUser);
  await expect(loggedIn.getByText("Safari on iPhone", { exact: true })).toHaveCount(0);
});

test("first steps, once hidden, stay hidden on this device only", async ({
  loggedIn,
  user,
  logInElsewhere,
}) => {
  const heading = { name: "First steps" };
  await loggedIn.goto("/dashboard");
  await expect(loggedIn.getByRole("heading", heading)).toBeVisible();
  await loggedIn.getByRole("button", { name: "Hide" }).click();
  await expect(loggedIn.getByRole("heading", heading)).toBeHidden();
  await loggedIn.reload();
  await expect(loggedIn.getByRole("heading", { level: 1 })).toBeVisible();
  await expect(loggedIn.getByRole("heading", heading)).toBeHidden();

  const other = await logInElsewhere(user);
  await other.goto("/dashboard");
  await expect(other.getByRole("heading", heading)).toBeVisible();
});
