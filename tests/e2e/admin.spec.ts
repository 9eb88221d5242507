import { randomUUID } from "node:crypto";
import type { Page } from "@playwright/test";
import type { Connection } from "@/lib/db/client";
import { product } from "@/lib/product";
import {
  askForReset,
  bothWays,
  expect,
  expectLoggedIn,
  expectLoggedOut,
  linkIn,
  logIn,
  test,
  thorough,
} from "@/tests/support/end-to-end";
import { httpClient } from "@/tests/support/http-client";
import { allRows } from "@/tests/support/snapshot";
import { actionNamed, formBody, shownForm } from "@/tests/support/surface";
import { createLogin, createUser, password, type TestUser } from "@/tests/support/users";

const createAdmin = ({ db }: Connection) => createUser(db, { role: "admin", name: "Ada Admin" });

const adminLink = (page: Page) =>
  page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: "Admin" });

/** Opens a user through the list, as an administrator would. */
async function openUser(page: Page, who: TestUser): Promise<void> {
  await page.goto("/dashboard");
  await adminLink(page).click();
  await page.getByLabel("Search").fill(who.email.slice(0, 20).toUpperCase());
  await page.getByRole("button", { name: "Search" }).click();
  await page.getByRole("row").getByRole("link", { name: who.name }).click();
  await expect(page.getByRole("heading", { name: who.name })).toBeVisible();
}

for (const { javaScriptEnabled, how } of bothWays) {
  test(`suspend a user: their next click leads to the login, until they are reinstated${how}`, async ({
    connection,
    user,
    elsewhere,
    logInElsewhere,
    mailTo,
  }) => {
    const options = { javaScriptEnabled };
    const admin = await logInElsewhere(await createAdmin(connection), options);
    const page = await logInElsewhere(user, options);
    await expectLoggedIn(page);

    await openUser(admin, user);
    await admin.getByLabel("Reason").fill("  ");
    await admin.getByRole("button", { name: "Suspend" }).click();
    await expect(admin.getByLabel("Reason")).toHaveAccessibleDescription("Enter a reason.");
    await expectLoggedIn(page);
    await admin.getByLabel("Reason").fill("Sent spam.");
    await admin.getByRole("button", { name: "Suspend" }).click();
    await expect(admin.getByText("The account is suspended")).toBeVisible();
    await expect(admin.getByText("“Sent spam.”").first()).toBeVisible();
    await expect(admin.getByText("Not logged in anywhere.")).toBeVisible();

    await expectLoggedOut(page);
    expect((await mailTo(user.email)).subject).toBe("Your account is suspended");
    const other = await elsewhere(options);
    await logIn(other, user.email, "not the password");
    await expect(other.getByText("Email or password is incorrect.")).toBeVisible();
    await logIn(other, user.email, password);
    await expect(other.getByText(/suspended/)).toBeVisible();

    await admin.getByRole("button", { name: "Reinstate" }).click();
    await expect(admin.getByText("The account is reinstated")).toBeVisible();
    await expectLoggedOut(page);
    await logIn(other, user.email, password);
    await expect(other).toHaveURL("/dashboard");
  });

  test(`give a user the role, and take it again: it applies at the next click${how}`, async ({
    connection,
    user,
    logInElsewhere,
  }) => {
    const admin = await logInElsewhere(await createAdmin(connection), { javaScriptEnabled });
    const page = await logInElsewhere(user, { javaScriptEnabled });
    const asked = async () => (await page.goto("/admin/users"))?.status();
    expect(await asked()).toBe(404);

    await openUser(admin, user);
    await admin.getByLabel("Role").selectOption("Admin");
    await admin.getByRole("button", { name: "Change role" }).click();
    await expect(admin.getByText("The role was changed")).toBeVisible();
    await expect(admin.getByLabel("Role")).toHaveValue("admin");

    // The session is older than the new role, so it must confirm its identity.
    expect(await asked()).toBe(200);
    await expect(page).toHaveURL("/confirm?next=%2Fadmin%2Fusers&strong=1");
    await page.getByLabel("Password").fill(password);
    await page.getByRole("button", { name: "Confirm" }).click();
    // A password is not enough for administration, so the user is redirected to set up two-factor.
    await expect(page).toHaveURL("/settings/two-factor?notice=admin");
    await expect(adminLink(page)).toBeVisible();

    await admin.getByLabel("Role").selectOption("User");
    // The page already shows the notice of this change, so wait for the response instead.
    const answered = admin.waitForResponse((response) => response.request().method() === "POST");
    await admin.getByRole("button", { name: "Change role" }).click();
    await answered;
    await expect(admin.getByLabel("Role")).toHaveValue("user");
    expect(await asked()).toBe(404);
    await expectLoggedIn(page);
    await expect(adminLink(page)).toHaveCount(0);
  });
}

test("log a user out, on one device and then on all", async ({
  connection,
  user,
  loggedIn,
  logInElsewhere,
  mailTo,
}) => {
  const phone = await logInElsewhere(user, {
    userAgent: "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) Version/18.5 Safari/604.1",
  });
  const admin = await logInElsewhere(await createAdmin(connection));
  await openUser(admin, user);
  await admin.getByRole("button", { name: /Log out .*iPhone/ }).click();
  await expect(admin.getByText("That device is logged out.")).toBeVisible();
  await expectLoggedOut(phone);
  await expectLoggedIn(loggedIn);
  expect((await mailTo(user.email)).subject).toBe("A device was logged out");

  await admin.getByRole("button", { name: "Log out everywhere" }).click();
  await expect(admin.getByText("All of this user's devices")).toBeVisible();
  await expectLoggedOut(loggedIn);
  await expectLoggedIn(admin);
});

test("send a user a reset link, which the admin never sees", async ({
  connection,
  user,
  page,
  logInElsewhere,
  mailTo,
}) => {
  const admin = await logInElsewhere(await createAdmin(connection));
  await openUser(admin, user);
  await admin.getByRole("button", { name: "Send reset link" }).click();
  await expect(admin.getByText("on its way")).toBeVisible();
  const mail = await mailTo(user.email);
  expect(mail.text).toContain(`An administrator of ${product.name} sent you this`);
  const link = linkIn(mail);
  expect(await admin.content()).not.toContain(link.slice(-43));
  await page.goto(link);
  await expect(page.getByLabel("New password")).toBeVisible();
});

test("an admin's act is in the audit log, and the user reads it without the admin's name and IP address", async ({
  connection,
  user,
  loggedIn,
  logInElsewhere,
}) => {
  const who = await createAdmin(connection);
  const admin = await logInElsewhere(who);
  await openUser(admin, user);
  await admin.getByLabel("Role").selectOption("Admin");
  await admin.getByRole("button", { name: "Change role" }).click();
  await admin.getByRole("link", { name: "Audit log" }).click();
  await admin.getByLabel("User").fill(` ${who.email.toUpperCase()}`);
  await admin.getByLabel("Event").selectOption("Role changed");
  await admin.getByRole("button", { name: "Filter" }).click();
  const entry = admin.getByRole("main").getByRole("listitem").filter({ hasText: "Role changed" });
  await expect(entry).toHaveCount(1);
  await expect(entry.getByRole("link", { name: who.email })).toBeVisible();
  await entry.getByRole("link", { name: user.email }).click();
  await expect(admin.getByRole("heading", { name: user.name })).toBeVisible();

  await loggedIn.goto("/settings/activity");
  const own = loggedIn.getByRole("listitem").filter({ hasText: "Your role was changed" });
  await expect(own).toContainText("By an administrator");
  expect(await loggedIn.content()).not.toContain(who.email);
});

test("an admin cannot change their own role: the page says so, and a hand-made form changes nothing", async ({
  app,
  connection,
  logInElsewhere,
}) => {
  const who = await createAdmin(connection);
  const admin = await logInElsewhere(who);
  await admin.goto(`/admin/users/${who.id}`);
  await expect(admin.getByText("You cannot change your own role")).toBeVisible();
  for (const name of ["Change role", "Suspend", "Log out everywhere"])
    await expect(admin.getByRole("button", { name, exact: true })).toHaveCount(0);

  const { token } = await createLogin(connection.db, who);
  for (const [name, fields] of [
    ["changeRole", { role: "user" }],
    ["suspendUser", { reason: "Test." }],
    ["logOutUser", {}],
  ] as const) {
    const { rate_limits: _before, ...before } = await allRows(connection);
    const body = formBody(actionNamed(name), { user: who.id, ...fields });
    const answer = await httpClient(app, token).post(`/admin/users/${who.id}`, body);
    expect(answer.headers.location, name).toBe(`/admin/users/${who.id}?notice=not-allowed`);
    const { rate_limits: _after, ...after } = await allRows(connection);
    expect(after, name).toEqual(before);
  }
});

test("a form of an outdated page changes nothing, and says what has happened", async ({
  connection,
  user,
  logInElsewhere,
}) => {
  const { sql } = connection;
  const admin = await logInElsewhere(await createAdmin(connection), { javaScriptEnabled: false });
  await openUser(admin, user);
  await sql`update users set status = 'suspended', suspension_reason = 'First.' where id = ${user.id}`;
  await admin.getByLabel("Reason").fill("Second.");
  await admin.getByRole("button", { name: "Suspend" }).click();
  await expect(admin.getByText("This was already done")).toBeVisible();
  await expect(admin.getByText("“First.”")).toBeVisible();

  await sql`delete from users where id = ${user.id}`;
  await admin.getByRole("button", { name: "Reinstate" }).click();
  await expect(admin).toHaveURL("/admin/users?notice=user-gone");
  await expect(admin.getByText("This user no longer exists")).toBeVisible();
  expect((await admin.goto(`/admin/users/${user.id}`))?.status()).toBe(404);
});

test("a hand-made form is refused with a sentence, and changes nothing", async ({
  app,
  connection,
  user,
}) => {
  const { token } = await createLogin(connection.db, await createAdmin(connection));
  const page = `/admin/users/${user.id}`;
  await createLogin(connection.db, user); // so that there is a device to log out
  const id = user.id;
  const sent: [string, [string, string][], RegExp][] = [
    [
      "changeRole",
      [
        ["user", id],
        ["role", "root"],
      ],
      /Choose a role from the list/,
    ],
    [
      "changeRole",
      [
        ["user", id],
        ["role", "admin\0"],
      ],
      /Choose a role from the list/,
    ],
    [
      "changeRole",
      [
        ["user", id],
        ["role", "user"],
        ["role", "admin"],
      ],
      /only once/,
    ],
    [
      "suspendUser",
      [
        ["user", id],
        ["reason", "a\0b"],
      ],
      /cannot be shown/,
    ],
    [
      "suspendUser",
      [
        ["user", id],
        ["reason", "x".repeat(301)],
      ],
      /at most 300/,
    ],
    ["suspendUser", [["user", id]], /Enter a reason/],
    [
      "suspendUser",
      [
        ["user", "1 or 1=1"],
        ["reason", "x"],
      ],
      /form is incomplete/,
    ],
    [
      "suspendUser",
      [
        ["user", `${id}\0`],
        ["reason", "x"],
      ],
      /form is incomplete/,
    ],
    [
      "suspendUser",
      [
        ["user", id],
        ["user", id],
        ["reason", "x"],
      ],
      /form is incomplete/,
    ],
    [
      "logOutUserDevice",
      [
        ["user", id],
        ["id", "x"],
      ],
      /form is incomplete/,
    ],
  ];
  const before = await allRows(connection);
  for (const [name, fields, sentence] of sent) {
    const from = httpClient(app, token);
    const form = await shownForm(from, { ...actionNamed(name), path: page }, {});
    for (const field of ["user", "role", "reason", "id"]) form.delete(field);
    for (const [field, value] of fields) form.append(field, value);
    const answer = await from.post(page, form);
    expect(answer.status, `${name} ${fields}`).toBe(200);
    expect(sentence.test(answer.body), `${name} ${fields}`).toBe(true);
  }
  expect(await allRows(connection)).toEqual(before);
  for (const path of [
    ...["/admin/users/nothing", `/admin/users/${randomUUID()}`, "/admin/users/%00"],
  ])
    expect([400, 404], path).toContain((await httpClient(app, token).get(path)).status);
});

test("the lists answer to any query parameters", thorough, async ({ app, connection }) => {
  const { token } = await createLogin(connection.db, await createAdmin(connection));
  const odd = [
    "%00",
    "%25",
    "%5c",
    "'",
    "x".repeat(3000),
    "-1",
    "1e99",
    "9".repeat(30),
    "%F0%9F%94%91",
  ];
  for (const value of odd)
    for (const path of ["/admin/users", "/admin/audit"])
      for (const name of ["q", "role", "status", "after", "user", "kind", "before", "notice"])
        for (const query of [`${name}=${value}`, `${name}=${value}&${name}=2`]) {
          const { status } = await httpClient(app, token).get(`${path}?${query}`);
          expect(status, `${path}?${query.slice(0, 60)}`).toBe(200);
        }
});

test("the list can be paged to its end and back to its start", async ({
  connection,
  logInElsewhere,
}) => {
  await connection.sql`
    insert into users (email, name, created_at)
    select 'crowd' || n || '@paging.example', 'Crowd ' || n, now() - n * interval '1 day'
    from generate_series(1, 60) n`;
  const admin = await logInElsewhere(await createAdmin(connection));
  await admin.goto("/admin/users?q=paging.example");
  const first = () => admin.getByRole("row").nth(1);
  await expect(first()).toContainText("Crowd 1");
  await admin.getByRole("link", { name: "Older" }).click();
  await expect(first()).toContainText("Crowd 26");
  await admin.getByRole("link", { name: "Older" }).click();
  await expect(first()).toContainText("Crowd 51");
  await expect(admin.getByRole("link", { name: "Older" })).toHaveCount(0);
  await admin.getByRole("link", { name: "Newest" }).click();
  await expect(first()).toContainText("Crowd 1");
  await admin.getByLabel("Status").selectOption("Suspended");
  await admin.getByRole("button", { name: "Search" }).click();
  await expect(admin.getByText("No users match.")).toBeVisible();
});

test("a link that a user requested before the suspension is invalid", async ({
  connection,
  user,
  page,
  logInElsewhere,
  mailTo,
}) => {
  await askForReset(page, user.email);
  const link = linkIn(await mailTo(user.email));
  const admin = await logInElsewhere(await createAdmin(connection));
  await openUser(admin, user);
  await admin.getByLabel("Reason").fill("Test.");
  await admin.getByRole("button", { name: "Suspend" }).click();
  await admin.getByRole("button", { name: "Reinstate" }).click();
  await expect(admin.getByText("The account is reinstated")).toBeVisible();
  await page.goto(link);
  await expect(page.getByLabel("New password")).toHaveCount(0);
});
