import { limits } from "@/lib/rate-limits";
import { expect, test } from "@/tests/support/end-to-end";
import { httpClient } from "@/tests/support/http-client";
import { allRows } from "@/tests/support/snapshot";
import { actionNamed, createScenario, formBody, shownForm } from "@/tests/support/surface";

test("a new name is saved and shown everywhere at once", async ({ loggedIn, connection, user }) => {
  await loggedIn.goto("/settings/profile");
  await expect(loggedIn.getByLabel("Name")).toHaveValue(user.name);
  await expect(loggedIn.getByText(user.email)).toBeVisible();
  await loggedIn.getByLabel("Name").fill("  Ada <b>Lovelace</b> & Söhne  ");
  await loggedIn.getByRole("button", { name: "Save" }).click();
  await expect(loggedIn.getByRole("status")).toHaveText("Your profile is saved.");
  await expect(loggedIn.getByLabel("Name")).toHaveValue("Ada <b>Lovelace</b> & Söhne");
  await expect(loggedIn.getByRole("banner")).toContainText("Ada <b>Lovelace</b> & Söhne");

  const events = await connection.sql`
    select kind, detail from audit_events where user_id = ${user.id} and kind = 'name-changed'`;
  expect(events).toHaveLength(1);
  expect(JSON.stringify(events)).not.toContain("Ada");
});

test("the twenty-first change in a quarter of an hour says when to try again, and the name stays", async ({
  app,
  connection,
}) => {
  const { token } = await createScenario(connection);
  const action = actionNamed("saveProfile");
  const save = (name: string) =>
    httpClient(app, token).post(action.path, formBody(action, { name }));
  for (let n = 1; n <= limits.profilePerUser.burst; n++)
    expect((await save(`Name ${n}`)).status).toBe(303);
  const before = await allRows(connection);
  const { status, body } = await httpClient(app, token).post(
    action.path,
    await shownForm(httpClient(app, token), action, { name: "One Too Many" }),
  );
  expect(status).toBe(200);
  expect(body).toMatch(/Too many attempts\. Try again in \d+ (second|minute)s?\./);
  expect(body).toContain("One Too Many");
  expect(await allRows(connection)).toEqual(before);
});

test("an invalid name is refused beside the field, which keeps it", async ({
  loggedIn,
  connection,
  user,
}) => {
  await loggedIn.goto("/settings/profile");
  await loggedIn.getByLabel("Name").evaluate((input) => input.removeAttribute("maxlength"));
  await loggedIn.getByLabel("Name").fill("x".repeat(101));
  await loggedIn.getByRole("button", { name: "Save" }).click();
  await expect(loggedIn.getByLabel("Name")).toHaveAccessibleDescription(
    "Use at most 100 characters.",
  );
  await expect(loggedIn.getByLabel("Name")).toHaveValue("x".repeat(101));
  const [row] = await connection.sql`select name from users where id = ${user.id}`;
  expect(row?.name).toBe(user.name);
});
