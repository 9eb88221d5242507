import { readFile } from "node:fs/promises";
import type { Page } from "@playwright/test";
import { createLink } from "@/lib/auth/links";
import { sudoPolicy } from "@/lib/auth/policy";
import type { Connection } from "@/lib/db/client";
import { span } from "@/tests/support/ages";
import { bothWays, expect, test } from "@/tests/support/end-to-end";
import { httpClient } from "@/tests/support/http-client";
import { allRows } from "@/tests/support/snapshot";
import {
  createTestTeam,
  insertInvitation,
  insertTeamKey,
  rolesIn,
  type TestTeam,
} from "@/tests/support/teams";
import { authenticator, fromBase32 } from "@/tests/support/two-factor";
import {
  createLogin,
  createUser,
  newPassword,
  password,
  type TestUser,
} from "@/tests/support/users";

/* A team from creation to deletion, by the buttons of its pages. */

const settings = ({ handle }: TestTeam, page: string) => `/t/${handle}/settings/${page}`;

/** Returns the row of a member in the list. */
const rowOf = (page: Page, { email }: TestUser) =>
  page.getByRole("list", { name: "Members" }).getByRole("listitem").filter({ hasText: email });

async function expectNotFound(page: Page, path: string): Promise<void> {
  expect((await page.goto(path))?.status(), path).toBe(404);
}

/** Makes the user's proof of identity expire, as if it were long ago. */
async function expireProof({ sql }: Connection, { id }: TestUser): Promise<void> {
  await sql`update sessions set authenticated_at = now() - ${span(sudoPolicy.submit)}::interval
    where user_id = ${id}`;
}

async function confirm(page: Page): Promise<void> {
  await expect(page).toHaveURL(/\/confirm\?next=/);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Confirm" }).click();
}

for (const { javaScriptEnabled, how } of bothWays) {
  test(`a team is created and renamed${how}`, async ({ user, logInElsewhere }) => {
    const page = await logInElsewhere(user, { javaScriptEnabled });
    await page.goto("/teams");
    await page.getByLabel("Name of the team").fill("  Ada & Söhne ");
    await page.getByRole("button", { name: "Create team" }).click();
    await expect(page).toHaveURL(/\/t\/[a-z0-9]{10}$/);
    await page.getByRole("link", { name: "Team", exact: true }).click();
    await expect(page.getByLabel("Name", { exact: true })).toHaveValue("Ada & Söhne");
    await page.getByLabel("Name", { exact: true }).fill("Analytical Engines");
    await page.getByRole("button", { name: "Rename" }).click();
    await expect(page.getByRole("status")).toHaveText("The team is renamed.");
    await expect(page.locator("summary")).toContainText("Analytical Engines");
    await page.getByRole("link", { name: "Activity", exact: true }).click();
    const rows = page.locator("main ol").getByRole("listitem");
    await expect(rows).toHaveText([/Team renamed/, /Team created/]);
    await expect(rows.first()).toContainText(user.email);
    await expect(page.getByRole("main")).not.toContainText("127.0.0.1");
  });

  test(`a changed role applies at the next request${how}`, async ({
    user,
    logInElsewhere,
    connection: { db },
    mailTo,
  }) => {
    const member = await createUser(db, { name: "Grace Hopper" });
    const team = await createTestTeam(db, { owner: [user], member: [member] });
    const page = await logInElsewhere(user, { javaScriptEnabled });
    const theirs = await logInElsewhere(member, { javaScriptEnabled });
    await expectNotFound(theirs, settings(team, "activity"));

    await page.goto(settings(team, "members"));
    await rowOf(page, member).getByLabel("Role of Grace Hopper").selectOption("admin");
    await rowOf(page, member).getByRole("button", { name: "Save" }).click();
    await expect(page.getByRole("status")).toContainText("The role is changed.");
    await expect(rowOf(page, member).getByLabel("Role of Grace Hopper")).toHaveValue("admin");
    expect((await mailTo(member.email)).text).toContain("You are now an admin");
    await theirs.goto(settings(team, "activity"));
    await expect(theirs.getByText("Role: Admin")).toBeVisible();

    await page.goto(settings(team, "members"));
    await rowOf(page, user)
      .getByLabel(/^Role of/)
      .selectOption("member");
    await rowOf(page, user).getByRole("button", { name: "Save" }).click();
    await expect(page.getByRole("status")).toContainText("The team needs an owner.");
    expect(await rolesIn(db, team)).toEqual({ [user.id]: "owner", [member.id]: "admin" });
  });

  test(`a member is removed; of two keys one is revoked and one kept${how}`, async ({
    user,
    logInElsewhere,
    connection: { db, sql },
    mailTo,
  }) => {
    const member = await createUser(db, { name: "Grace Hopper" });
    const team = await createTestTeam(db, { owner: [user], admin: [member] }, { name: "Acme" });
    await insertInvitation(db, team, member);
    await insertTeamKey(db, team, member, "Nightly backup");
    const kept = await insertTeamKey(db, team, member, "Deployment");
    const theirs = await logInElsewhere(member, { javaScriptEnabled });
    await theirs.goto(settings(team, "members"));
    await expect(rowOf(theirs, user).getByRole("link", { name: "Remove" })).toHaveCount(0);

    const page = await logInElsewhere(user, { javaScriptEnabled });
    await page.goto(settings(team, "members"));
    await rowOf(page, member).getByRole("link", { name: "Remove" }).click();
    await expect(page.getByRole("heading", { name: "Remove Grace Hopper" })).toBeVisible();
    await expect(page.getByLabel("Nightly backup")).toBeChecked();
    await page.getByLabel("Deployment").uncheck();
    await page.getByRole("button", { name: "Remove Grace Hopper" }).click();
    await expect(page.getByRole("status")).toContainText("The member is removed");
    await expect(rowOf(page, member)).toHaveCount(0);

    await expectNotFound(theirs, `/t/${team.handle}`);
    expect((await mailTo(member.email)).subject).toBe("You were removed from Acme");
    expect(await sql`select id from team_keys where team_id = ${team.id}`).toEqual([kept]);
    expect(await sql`select from invitations where team_id = ${team.id}`).toHaveLength(0);
    await page.goto(settings(team, "activity"));
    await expect(page.getByText("Grace Hopper (no longer a member)")).toBeVisible();
    await expect(page.getByText("API key revoked")).toHaveCount(1);
  });

  test(`making or removing an owner asks for a recent proof and keeps the choice${how}`, async ({
    user,
    logInElsewhere,
    connection,
  }) => {
    const { db } = connection;
    const member = await createUser(db, { name: "Grace Hopper" });
    const team = await createTestTeam(db, { owner: [user], admin: [member] });
    await insertTeamKey(db, team, member, "Nightly backup");
    const page = await logInElsewhere(user, { javaScriptEnabled });
    await expireProof(connection, user);
    await page.goto(settings(team, "members"));
    await rowOf(page, member).getByLabel("Role of Grace Hopper").selectOption("Owner");
    await rowOf(page, member).getByRole("button", { name: "Save" }).click();
    await confirm(page);
    expect((await rolesIn(db, team))[member.id]).toBe("admin");
    await expect(page.getByLabel("Role of Grace Hopper")).toHaveValue("owner");
    await rowOf(page, member).getByRole("button", { name: "Save" }).click();
    await expect(page.getByRole("status")).toContainText("The role is changed.");
    expect((await rolesIn(db, team))[member.id]).toBe("owner");

    await expireProof(connection, user);
    await rowOf(page, member).getByRole("link", { name: "Remove" }).click();
    await page.getByLabel("Nightly backup").uncheck();
    await page.getByRole("button", { name: "Remove Grace Hopper" }).click();
    await confirm(page);
    await expect(page.getByLabel("Nightly backup")).not.toBeChecked();
    await page.getByRole("button", { name: "Remove Grace Hopper" }).click();
    await expect(page.getByRole("status")).toContainText("The member is removed");
    expect(await rolesIn(db, team)).toEqual({ [user.id]: "owner" });
  });

  test(`a member leaves, and the only owner cannot${how}`, async ({
    user,
    logInElsewhere,
    connection: { db },
  }) => {
    const member = await createUser(db);
    const team = await createTestTeam(db, { owner: [user], member: [member] });
    const theirs = await logInElsewhere(member, { javaScriptEnabled });
    await theirs.goto(settings(team, "team"));
    await expect(theirs.getByRole("button", { name: "Delete team" })).toHaveCount(0);
    await theirs.getByRole("button", { name: "Leave team" }).click();
    await expect(theirs).toHaveURL("/teams?notice=left");
    await expect(theirs.getByRole("status")).toHaveText("You have left the team.");
    await expectNotFound(theirs, settings(team, "team"));

    const page = await logInElsewhere(user, { javaScriptEnabled });
    await page.goto(settings(team, "team"));
    await page.getByRole("button", { name: "Leave team" }).click();
    await expect(page.locator("form").getByRole("alert")).toContainText("You are the only owner.");
    expect(await rolesIn(db, team)).toEqual({ [user.id]: "owner" });
  });

  test(`ownership is transferred, after a proof of identity that keeps the choice${how}`, async ({
    user,
    logInElsewhere,
    connection,
    mailTo,
  }) => {
    const { db } = connection;
    const member = await createUser(db);
    const team = await createTestTeam(db, { owner: [user], member: [member] }, { name: "Acme" });
    const page = await logInElsewhere(user, { javaScriptEnabled });
    await page.goto(settings(team, "team"));
    const choice = page.getByLabel("New owner");
    await page.getByRole("button", { name: "Transfer ownership" }).click();
    await expect(choice).toHaveAccessibleDescription("Choose a member.");
    await choice.selectOption({ label: `${member.name} (${member.email})` });
    await expireProof(connection, user);
    await page.getByRole("button", { name: "Transfer ownership" }).click();
    await confirm(page);
    await expect(choice).toHaveValue(member.id);
    expect(await rolesIn(db, team)).toMatchObject({ [user.id]: "owner" });
    await page.getByRole("button", { name: "Transfer ownership" }).click();
    await expect(page.getByRole("status")).toContainText("You are an admin now.");
    await expect(page.getByRole("button", { name: "Delete team" })).toHaveCount(0);
    expect(await rolesIn(db, team)).toEqual({ [user.id]: "admin", [member.id]: "owner" });
    expect((await mailTo(member.email)).text).toContain("You are now an owner");
    expect((await mailTo(user.email)).text).toContain("You are now an admin");
  });

  test(`a team is deleted once its name is typed, after a proof that keeps the typed name${how}`, async ({
    user,
    logInElsewhere,
    connection,
    mailTo,
  }) => {
    const { db, sql } = connection;
    const member = await createUser(db);
    const team = await createTestTeam(db, { owner: [user], member: [member] }, { name: "A  B" });
    const page = await logInElsewhere(user, { javaScriptEnabled });
    await page.goto(settings(team, "team"));
    const typed = page.getByLabel("Type the team's name to confirm");
    await typed.fill("Another Name");
    await page.getByRole("button", { name: "Delete team" }).click();
    await expect(typed).toHaveAccessibleDescription("Type the team's name exactly as shown above.");
    await expect(typed).toHaveValue("Another Name");

    await typed.fill("A B"); // as the page shows it
    await expireProof(connection, user);
    await page.getByRole("button", { name: "Delete team" }).click();
    await confirm(page);
    await expect(typed).toHaveValue("A B");
    expect(await sql`select from teams where id = ${team.id}`).toHaveLength(1);
    await page.getByRole("button", { name: "Delete team" }).click();
    await expect(page).toHaveURL("/teams?notice=deleted");
    await expect(page.getByRole("status")).toHaveText("The team is deleted.");
    await expectNotFound(page, `/t/${team.handle}`);
    expect((await mailTo(member.email)).text).toContain(`${user.email} has deleted the team`);
  });

  test(`the team's data can be downloaded, without secrets${how}`, async ({
    user,
    logInElsewhere,
    connection: { db },
  }) => {
    const team = await createTestTeam(db, { owner: [user] }, { name: "Acme" });
    await insertTeamKey(db, team, user, "Deployment");
    const page = await logInElsewhere(user, { javaScriptEnabled });
    await page.goto(settings(team, "team"));
    const download = page.waitForEvent("download");
    await page.getByRole("button", { name: "Download the team's data" }).click();
    const file = await download;
    expect(file.suggestedFilename()).toBe(`team-${team.handle}.json`);
    const text = await readFile(await file.path(), "utf8");
    expect(JSON.parse(text)).toMatchObject({
      ...{ team: { name: "Acme" }, members: [{ email: user.email, role: "owner" }] },
      apiKeys: [{ name: "Deployment" }],
    });
    expect(text).not.toMatch(/hash|token/i);
    await page.goto(settings(team, "activity"));
    await expect(page.getByText("Team data downloaded")).toHaveCount(1);
  });
}

test("two tabs in two teams: each form changes the team of its own page", async ({
  loggedIn,
  user,
  connection: { db, sql },
}) => {
  const [one, two] = [
    await createTestTeam(db, { owner: [user] }, { name: "One" }),
    await createTestTeam(db, { owner: [user] }, { name: "Two" }),
  ];
  const other = await loggedIn.context().newPage();
  await loggedIn.goto(settings(one, "team"));
  await other.goto(settings(two, "team"));
  await loggedIn.getByLabel("Name", { exact: true }).fill("First");
  await other.getByLabel("Name", { exact: true }).fill("Second");
  await loggedIn.getByRole("button", { name: "Rename" }).click();
  await expect(loggedIn.getByRole("status")).toHaveText("The team is renamed.");
  await other.getByRole("button", { name: "Rename" }).click();
  await expect(other.getByRole("status")).toHaveText("The team is renamed.");
  await expect(other).toHaveURL(new RegExp(two.handle));
  const names = await sql<{ id: string; name: string }[]>`
    select id, name from teams where id in (${one.id}, ${two.id})`;
  expect(Object.fromEntries(names.map(({ id, name }) => [id, name]))).toEqual({
    ...{ [one.id]: "First", [two.id]: "Second" },
  });
});

test("a team requires more than a password: owner and member set it up and come back", async ({
  user,
  logInElsewhere,
  connection: { db, sql },
}) => {
  const member = await createUser(db);
  const team = await createTestTeam(db, { owner: [user], member: [member] });
  const [page, theirs] = [await logInElsewhere(user), await logInElsewhere(member)];
  const box = page.getByLabel("Require two-factor or a passkey");
  await page.goto(settings(team, "team"));
  await box.check();
  await page.getByRole("button", { name: "Save" }).click();
  await expect(page).toHaveURL("/settings/two-factor?notice=team-owner");
  expect(await sql`select from teams where id = ${team.id} and requires_strong`).toHaveLength(0);
  await setUpTwoFactor(page);

  await page.goto(settings(team, "team"));
  await box.check();
  await page.getByRole("button", { name: "Save" }).click();
  await expect(page.getByRole("status")).toContainText("Members need two-factor or a passkey");

  await theirs.goto(settings(team, "members"));
  await expect(theirs).toHaveURL("/settings/two-factor?notice=team");
  await expect(theirs.getByText("This team requires more than a password")).toBeVisible();
  await setUpTwoFactor(theirs);
  await theirs.goto(settings(team, "members"));
  await expect(rowOf(theirs, user)).toBeVisible();

  await box.uncheck();
  await page.getByRole("button", { name: "Save" }).click();
  await expect(page.getByRole("status")).toHaveText(
    "A password alone is enough for the team again.",
  );
});

test("a reset after an attack ends the invitations that its user sent", async ({
  page,
  user,
  connection: { db, sql },
}) => {
  const other = await createUser(db);
  const team = await createTestTeam(db, { owner: [user, other] });
  await insertInvitation(db, team, user);
  const kept = await insertInvitation(db, team, other);
  const link = await createLink(db, {
    ...{ userId: user.id, purpose: "password-reset", sentTo: user.email },
  });
  await page.goto(`/reset-password/${link}`);
  await expect(
    page.getByText("Also revokes the invitations to teams that you sent."),
  ).toBeVisible();
  await page.getByLabel("Somebody else may have got in").check();
  await page.getByLabel("New password").fill(newPassword);
  await page.getByRole("button", { name: "Set new password" }).click();
  await expect(page.getByText("Your new password is set.")).toBeVisible();
  expect(await sql`select id from invitations where team_id = ${team.id}`).toEqual([
    { id: kept.id },
  ]);
});

test("a team that requires more than a password is deleted with an account only from a strong session", async ({
  user,
  logInElsewhere,
  connection: { db },
}) => {
  const team = await createTestTeam(db, { owner: [user] }, { requiresStrong: true });
  const page = await logInElsewhere(user);
  const remove = async () => {
    await page.goto("/settings/profile");
    await page.getByLabel(/to confirm/).fill(user.email);
    await page.getByRole("button", { name: "Delete account" }).click();
  };
  await remove();
  await expect(page).toHaveURL("/settings/two-factor?notice=team-deletion");
  await expect(page.getByText("then try again to delete your account")).toBeVisible();
  expect(await rolesIn(db, team)).toEqual({ [user.id]: "owner" });
  await setUpTwoFactor(page);
  await remove();
  await expect(page).toHaveURL("/login?notice=account-deleted");
  expect(await rolesIn(db, team)).toEqual({});
});

async function setUpTwoFactor(page: Page): Promise<void> {
  await page.getByRole("button", { name: "Set up" }).click();
  await expect(page.getByRole("img", { name: "QR image of the key" })).toBeVisible();
  const key = `${await page.locator("code").textContent()}`.replaceAll(" ", "");
  await page.getByRole("textbox", { name: "Code" }).fill(authenticator(fromBase32(key)).code());
  await page.getByRole("button", { name: "Turn on" }).click();
  await expect(page.getByText("Two-factor is on. Save your recovery codes")).toBeVisible();
}

test("a team's pages answer 404 to other users, and its administration pages to members", async ({
  app,
  user,
  connection,
}) => {
  const { db } = connection;
  const [admin, member] = [await createUser(db), await createUser(db)];
  const team = await createTestTeam(db, { owner: [user], admin: [admin], member: [member] });
  const own = await createTestTeam(db, { owner: [await createUser(db)] });
  const removal = ({ id }: TestUser) => settings(team, `members/${id}/remove`);
  const all = [`/t/${team.handle}`, ...["members", "team"].map((page) => settings(team, page))];
  const ofAdmins = [settings(team, "activity"), removal(member)];
  const status = async (who: TestUser, path: string) =>
    (await httpClient(app, (await createLogin(db, who)).token).get(path)).status;
  const outsider = await createUser(db);
  for (const path of [...all, ...ofAdmins]) {
    expect(await status(outsider, path), path).toBe(404);
    expect(await status(admin, path), path).toBe(200);
  }
  for (const path of all) expect(await status(member, path), path).toBe(200);
  for (const path of ofAdmins) expect(await status(member, path), path).toBe(404);
  // Pages on which an admin would remove an owner, themselves, a user who is not a member, or
  // an invalid id.
  for (const path of [removal(user), removal(admin), removal(outsider)])
    expect(await status(admin, path), path).toBe(404);
  expect(await status(admin, settings(team, "members/x/remove"))).toBe(404);
  expect(await status(member, settings(own, "members"))).toBe(404);

  const before = await allRows(connection);
  for (const who of [outsider, admin, member]) {
    const { token } = await createLogin(db, who);
    const answer = await httpClient(app, token).post(settings(team, "team/data"), "");
    expect(answer.status).toBe(404);
    expect(answer.body).not.toContain(user.email);
  }
  expect((await allRows(connection)).teams).toEqual(before.teams);
});
