import type { Page } from "@playwright/test";
import { sudoPolicy } from "@/lib/auth/policy";
import { sessionCookie } from "@/lib/auth/sessions/cookie";
import { minutes } from "@/lib/time";
import { span } from "@/tests/support/ages";
import { bothWays, expect, expectLoggedIn, linkIn, test } from "@/tests/support/end-to-end";
import { httpClient, tokenFrom } from "@/tests/support/http-client";
import { allRows } from "@/tests/support/snapshot";
import { actionNamed, createScenario, ways } from "@/tests/support/surface";
import { password } from "@/tests/support/users";

async function confirm(page: Page, typed = password): Promise<void> {
  await page.getByLabel("Password").fill(typed);
  await page.getByRole("button", { name: "Confirm" }).click();
}

for (const { javaScriptEnabled, how } of bothWays) {
  test(`a form sent after the proof expired keeps its values until the password is confirmed${how}`, async ({
    user,
    logInElsewhere,
    connection: { sql },
    mailTo,
  }) => {
    const page = await logInElsewhere(user, { javaScriptEnabled });
    const next = `next-${user.email}`;
    await page.goto("/settings/profile");
    const form = page.locator("form").filter({ hasText: "Change email" });
    await form.getByLabel("Email").fill(next);
    await sql`
      update sessions set authenticated_at = now() - ${span(sudoPolicy.submit)}::interval
      where user_id = ${user.id}`;
    await form.getByRole("button", { name: "Change email" }).click();
    await expect(page).toHaveURL("/confirm?next=%2Fsettings%2Fprofile");
    await confirm(page, "not my password");
    await expect(page.getByLabel("Password")).toHaveAccessibleDescription(
      "This is not your password.",
    );
    await confirm(page);

    await expect(page).toHaveURL("/settings/profile");
    await expect(form.getByLabel("Email")).toHaveValue(next);
    await expect(form.getByRole("status")).toContainText("This has not been sent yet");
    await form.getByRole("button", { name: "Change email" }).click();
    await expect(page).toHaveURL("/settings/profile?notice=email-link-sent");
    expect(linkIn(await mailTo(next))).toContain("/change-email/");
    // After the form was submitted, the draft is gone.
    await page.goto("/settings/profile");
    await expect(form.getByLabel("Email")).toHaveValue("");
    await expect(form.getByRole("status")).toHaveCount(0);
  });

  test(`logging another device out asks for the password; logging out oneself does not${how}`, async ({
    user,
    logInElsewhere,
    connection: { sql },
  }) => {
    const page = await logInElsewhere(user, { javaScriptEnabled });
    const other = await logInElsewhere(user, { userAgent: "curl/8.0" });
    await sql`
      update sessions set authenticated_at = now() - interval '1 day' where user_id = ${user.id}`;
    await page.goto("/settings/devices");
    await expect(page.getByText("expired, you will be asked again")).toBeVisible();
    for (const name of ["Log out other devices", /^Log out [Uc]/]) {
      await page.getByRole("button", { name }).click();
      await expect(page).toHaveURL(/\/confirm\?next=/);
      await expectLoggedIn(other);
      await page.goto("/settings/devices");
    }
    await page.getByRole("button", { name: "Log out other devices" }).click();
    await confirm(page);
    await expect(page).toHaveURL("/settings/devices?notice=confirmed");
    await expect(page.getByText(/valid for \d+ more minutes?/)).toBeVisible();
    await page.getByRole("button", { name: "Log out other devices" }).click();
    await expect(page).toHaveURL("/settings/devices?notice=others-logged-out");

    await sql`
      update sessions set authenticated_at = now() - interval '1 day' where user_id = ${user.id}`;
    await page
      .getByRole("listitem")
      .getByRole("button", { name: /^Log out/ })
      .click();
    await expect(page).toHaveURL("/login?notice=logged-out");
  });
}

test("the download asks for the password, and is then requested again", async ({
  loggedIn,
  user,
  connection: { sql },
}) => {
  await sql`
    update sessions set authenticated_at = now() - ${span(sudoPolicy.submit)}::interval
    where user_id = ${user.id}`;
  await loggedIn.goto("/settings/profile");
  await loggedIn.getByRole("button", { name: "Download my data" }).click();
  await confirm(loggedIn);
  await expect(loggedIn.getByRole("status").first()).toContainText("nothing has been done yet");
  const download = loggedIn.waitForEvent("download");
  await loggedIn.getByRole("button", { name: "Download my data" }).click();
  expect((await download).suggestedFilename()).toBe("my-data.json");
});

test("a form opened in time can be sent for ten more minutes", async ({
  loggedIn,
  user,
  connection: { sql },
}) => {
  await sql`
    update sessions set authenticated_at = now() - ${span(sudoPolicy.submit - minutes(1))}::interval
    where user_id = ${user.id}`;
  await loggedIn.goto("/settings/profile");
  const form = loggedIn.locator("form").filter({ hasText: "to confirm" });
  await form.getByLabel(/to confirm/).fill(user.email);
  await form.getByRole("button", { name: "Delete account" }).click();
  await expect(loggedIn).toHaveURL("/login?notice=account-deleted");
});

test("a confirmation makes a stolen token invalid, and another tab keeps working", async ({
  loggedIn,
  user,
  app,
  connection: { sql },
}) => {
  const { name } = sessionCookie(app.origin);
  const cookie = async () =>
    (await loggedIn.context().cookies()).find((each) => each.name === name)?.value;
  const stolen = await cookie();
  const tab = await loggedIn.context().newPage();
  await tab.goto("/dashboard");
  await sql`
    update sessions set authenticated_at = now() - interval '1 day' where user_id = ${user.id}`;
  await loggedIn.goto("/confirm?next=/settings/activity");
  await confirm(loggedIn);
  await expect(loggedIn).toHaveURL("/settings/activity");
  await expect(loggedIn.getByText("You confirmed that it is you")).toBeVisible();
  expect(await cookie()).not.toBe(stolen);
  expect((await httpClient(app, stolen).get("/dashboard")).status).toBe(307);
  await tab.getByRole("link", { name: "Settings" }).click();
  await expect(tab).toHaveURL("/settings");
});

test("a recently confirmed user is redirected to `next`, but never to another site", async ({
  loggedIn,
  user,
  connection: { sql },
}) => {
  await loggedIn.goto("/confirm?next=/settings/activity");
  await expect(loggedIn).toHaveURL("/settings/activity");
  await sql`
    update sessions set authenticated_at = now() - interval '1 day' where user_id = ${user.id}`;
  await loggedIn.goto("/confirm?next=//evil.example/");
  await confirm(loggedIn);
  await expect(loggedIn).toHaveURL("/dashboard");
});

const delicate = [
  "changeEmail",
  "deleteAccount",
  "logOutDevice",
  "logOutOtherDevices",
  "logOutEverywhere",
  "createKey",
  "createKeyOfTeam",
];

for (const [way, call] of Object.entries(ways)) {
  test(`each action that needs sudo ${way} leads to /confirm, and no row changes`, async ({
    app,
    connection,
  }) => {
    const { token, user, fieldsOf } = await createScenario(connection);
    await connection.sql`
      update sessions set authenticated_at = now() - ${span(sudoPolicy.submit)}::interval
      where user_id = ${user.id}`;
    const before = await allRows(connection);
    for (const action of delicate.map(actionNamed)) {
      const answer = await call(httpClient(app, token), action, fieldsOf(action));
      const target = answer.headers.location ?? answer.headers["x-action-redirect"];
      expect(`${target}`, action.name).toMatch(/^\/confirm\?next=/);
      expect(tokenFrom(answer), action.name).toBeUndefined();
      expect(await allRows(connection), action.name).toEqual(before);
    }
    const data = await httpClient(app, token).post("/settings/profile/data", "");
    expect(data.headers.location).toMatch(/^\/confirm\?next=/);
    expect(data.body).not.toContain(user.email);
    expect(await allRows(connection)).toEqual(before);
  });
}

test("a draft is shown to its own user only", async ({ app, connection }) => {
  const [ada, bob] = [await createScenario(connection), await createScenario(connection)];
  await connection.sql`update sessions set authenticated_at = now() - interval '1 day'`;
  const action = actionNamed("changeEmail");
  const send = ways["as a form without JavaScript"];
  const answer = await send?.(httpClient(app, ada.token), action, { email: "kept@example.com" });
  const kept = answer?.setCookie.find((line) => line.startsWith("__Host-draft="));
  expect(kept).toMatch(/HttpOnly/i);
  const pair = `${kept}`.split(";")[0];
  const page = async (token: string) => {
    const cookie = `${sessionCookie(app.origin).name}=${token}; ${pair}`;
    return (await httpClient(app).get("/settings/profile", { cookie })).body;
  };
  expect(await page(ada.token)).toContain("kept@example.com");
  expect(await page(bob.token)).not.toContain("kept@example.com");
});
