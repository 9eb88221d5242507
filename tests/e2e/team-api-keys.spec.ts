import type { Page } from "@playwright/test";
import { createLink } from "@/lib/auth/links";
import { sudoPolicy } from "@/lib/auth/policy";
import { plans } from "@/lib/billing/plans";
import { product } from "@/lib/product";
import { span } from "@/tests/support/ages";
import { bothWays, expect, linkIn, test } from "@/tests/support/end-to-end";
import { httpClient } from "@/tests/support/http-client";
import { allRows } from "@/tests/support/snapshot";
import { actionNamed, ways } from "@/tests/support/surface";
import { createKeyOf } from "@/tests/support/team-keys";
import { addMember, createOwnedTeam } from "@/tests/support/teams";
import { newPassword, password } from "@/tests/support/users";

/* The page of a team's API keys. */

const pathOf = ({ handle }: { handle: string }) => `/t/${handle}/settings/api-keys`;

/** Creates a key. Fills in the name and checks one scope, and keeps the other defaults. */
async function create(page: Page, name: string): Promise<void> {
  await page.getByLabel("Name").fill(name);
  await page.getByLabel("projects:read").check();
  await page.getByRole("button", { name: "Create key" }).click();
}

async function keyIn(page: Page): Promise<string> {
  const shown = page.getByRole("status").filter({ hasText: "Your new key" }).locator("code");
  return `${await shown.textContent()}`;
}

for (const { javaScriptEnabled, how } of bothWays) {
  test(`an admin makes a key, which is shown once, used, and revoked${how}`, async ({
    connection: { db },
    logInElsewhere,
    request,
    mailTo,
  }) => {
    const { team, owner } = await createOwnedTeam(db, { name: "Acme" });
    const admin = await addMember(db, team, "admin");
    const page = await logInElsewhere(admin.user, { javaScriptEnabled });
    await page.goto(`/t/${team.handle}`);
    await page.getByRole("link", { name: "API keys" }).click();
    await expect(page.getByText("The team has no keys yet.")).toBeVisible();
    await create(page, "Nightly backup");
    const key = await keyIn(page);
    expect(key).toMatch(new RegExp(`^${product.teamKeyPrefix}[0-9A-Za-z]{38}$`));
    for (const { email } of [owner.user, admin.user])
      expect(linkIn(await mailTo(email))).toContain(pathOf(team));

    // Open the URL again: reloading the POST would create another key.
    await page.goto(pathOf(team));
    const row = page.getByRole("listitem").filter({ hasText: "Nightly backup" });
    await expect(row).toContainText(key.slice(0, 12));
    await expect(row).toContainText(`by ${admin.user.name}`);
    await expect(row).toContainText("projects:read");
    await expect(row).toContainText("Never"); // used
    expect(await page.content()).not.toContain(key.slice(12));

    const headers = { authorization: `Bearer ${key}` };
    const list = `/api/v1/teams/${team.handle}/projects`;
    expect((await request.get(list, { headers })).status()).toBe(200);
    await page.goto(pathOf(team));
    await expect(row).toContainText("Last usedjust now");

    await page.getByRole("button", { name: "Revoke Nightly backup" }).click();
    await expect(page).toHaveURL(`${pathOf(team)}?notice=key-revoked`);
    await expect(page.getByText("The team has no keys yet.")).toBeVisible();
    expect((await request.get(list, { headers })).status()).toBe(401);
  });

  test(`a form sent after the proof expired is shown again after the password, by its own team alone${how}`, async ({
    connection: { db, sql },
    user,
    logInElsewhere,
  }) => {
    const { team } = await createOwnedTeam(db);
    const { team: other } = await createOwnedTeam(db);
    for (const { id } of [team, other])
      await sql`insert into members (team_id, user_id, role) values (${id}, ${user.id}, 'admin')`;
    const page = await logInElsewhere(user, { javaScriptEnabled });
    await page.goto(pathOf(team));
    await page.getByLabel("Expires").selectOption("365");
    await sql`
      update sessions set authenticated_at = now() - ${span(sudoPolicy.submit)}::interval
      where user_id = ${user.id}`;
    await create(page, "Deployment");
    await expect(page).toHaveURL(`/confirm?next=${encodeURIComponent(pathOf(team))}`);
    expect(await sql`select from team_keys where team_id = ${team.id}`).toHaveLength(0);
    await page.getByLabel("Password").fill(password);
    await page.getByRole("button", { name: "Confirm" }).click();

    await expect(page).toHaveURL(pathOf(team));
    await page.goto(pathOf(other));
    await expect(page.getByLabel("Name")).toHaveValue("");
    await page.goto(pathOf(team));
    await expect(page.getByLabel("Name")).toHaveValue("Deployment");
    await expect(page.getByLabel("projects:read")).toBeChecked();
    await expect(page.getByLabel("Expires")).toHaveValue("365");
    await page.getByRole("button", { name: "Create key" }).click();
    expect(await keyIn(page)).toContain(product.teamKeyPrefix);
    expect(await sql`select name, scopes from team_keys where team_id = ${team.id}`).toEqual([
      { name: "Deployment", scopes: ["projects:read"] },
    ]);
  });

  test(`a team at its limit of keys gets no further one, and the form keeps its values${how}`, async ({
    connection: { db, sql },
    logInElsewhere,
  }) => {
    const { team, owner } = await createOwnedTeam(db);
    const { keys } = plans.pro.limits;
    await sql`
      insert into team_keys (team_id, name, prefix, key_hash, scopes)
      select ${team.id}, 'Backup', 'lk_team_0000', sha256(gen_random_uuid()::text::bytea), '{}'
      from generate_series(1, ${keys}::int)`;
    const page = await logInElsewhere(owner.user, { javaScriptEnabled });
    await page.goto(pathOf(team));
    await create(page, "One more");
    await expect(page.getByText(`The team has ${keys} keys.`)).toBeVisible();
    await expect(page.getByLabel("Name")).toHaveValue("One more");
    await expect(page.getByLabel("projects:read")).toBeChecked();
  });
}

test("a member sees neither the page nor a link to it", async ({
  connection: { db },
  logInElsewhere,
}) => {
  const { team } = await createOwnedTeam(db);
  const member = await addMember(db, team, "member");
  const page = await logInElsewhere(member.user);
  await page.goto(`/t/${team.handle}`);
  await expect(page.getByRole("link", { name: "API keys" })).toHaveCount(0);
  expect((await page.goto(pathOf(team)))?.status()).toBe(404);
});

test("keys of a removed maker are listed, and can be revoked by another admin without a password", async ({
  connection: { db, sql },
  logInElsewhere,
}) => {
  const { team, owner } = await createOwnedTeam(db);
  const [admin, gone] = [await addMember(db, team, "admin"), await addMember(db, team, "admin")];
  await createKeyOf(db, admin.scope, { name: "Reports" });
  await createKeyOf(db, gone.scope, { name: "Imports" });
  await sql`delete from members where user_id = ${admin.user.id}`;
  await sql`delete from users where id = ${gone.user.id}`;
  const page = await logInElsewhere(owner.user);
  await sql`
    update sessions set authenticated_at = now() - interval '1 day' where user_id = ${owner.user.id}`;
  await page.goto(pathOf(team));
  const row = (name: string) => page.getByRole("listitem").filter({ hasText: name });
  await expect(row("Reports")).toContainText(`by ${admin.user.name}`);
  await expect(row("Imports")).toContainText("by a deleted account");
  await page.getByRole("button", { name: "Revoke Reports" }).click();
  await expect(page).toHaveURL(`${pathOf(team)}?notice=key-revoked`);
  expect(await sql`select name from team_keys where team_id = ${team.id}`).toEqual([
    { name: "Imports" },
  ]);
});

for (const [way, call] of Object.entries(ways))
  test(`another team's handle or key ${way} gets the same answer as an unknown one`, async ({
    app,
    connection,
  }) => {
    const { db } = connection;
    const [a, b] = [await createOwnedTeam(db), await createOwnedTeam(db)];
    const { id } = await createKeyOf(db, b.owner.scope);
    const before = await allRows(connection);
    const client = httpClient(app, a.owner.token);
    const wanted = { name: "Mine", "projects:read": "on", expires: "30" };
    for (const team of [b.team.handle, "0000000000", "nothing", ""]) {
      for (const [name, fields] of [
        ["createKeyOfTeam", { team, ...wanted }],
        ["revokeKeyOfTeam", { team, id }],
      ] as const) {
        const answer = await call(client, actionNamed(name), fields);
        expect(answer.status, `${name} ${team}`).toBe(404);
        expect(answer.body).not.toContain("Backup");
      }
    }
    const revoke = { team: a.team.handle, id };
    const answer = await call(client, actionNamed("revokeKeyOfTeam"), revoke);
    const target = `${answer.headers.location ?? answer.headers["x-action-redirect"]}`;
    expect(target).toContain(`${pathOf(a.team)}?notice=key-gone`);
    // Ignore the sessions: they store the team that was opened last.
    const after = await allRows(connection);
    expect({ ...after, sessions: [] }).toEqual({ ...before, sessions: [] });
  });

test("a reset lists the team keys that its user made, with the team, and revokes them on request", async ({
  page,
  connection: { db, sql },
}) => {
  const { team, owner } = await createOwnedTeam(db, { name: "Acme" });
  const admin = await addMember(db, team, "admin");
  await createKeyOf(db, admin.scope);
  const kept = await createKeyOf(db, owner.scope);
  const { id: userId, email: sentTo } = admin.user;
  const link = await createLink(db, { userId, purpose: "password-reset", sentTo });
  await page.goto(`/reset-password/${link}`);
  await expect(page.getByRole("listitem")).toHaveText([/of the team Acme$/]);
  await page.getByLabel("Revoke all").check();
  await page.getByLabel("New password").fill(newPassword);
  await page.getByRole("button", { name: "Set new password" }).click();
  await expect(page.getByText("Your new password is set.")).toBeVisible();
  expect(await sql`select id from team_keys where team_id = ${team.id}`).toEqual([{ id: kept.id }]);
});
