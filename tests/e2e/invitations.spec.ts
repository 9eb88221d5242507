import type { Page } from "@playwright/test";
import { hashToken } from "@/lib/auth/secrets";
import type { Connection } from "@/lib/db/client";
import { bothWays, expect, linkIn, logIn, test } from "@/tests/support/end-to-end";
import { httpClient, send } from "@/tests/support/http-client";
import { allMails } from "@/tests/support/smtp";
import { allRows } from "@/tests/support/snapshot";
import { actionNamed, formBody } from "@/tests/support/surface";
import { inviteFrom } from "@/tests/support/team-surface";
import { createTestTeam, insertInvitation, type TestTeam } from "@/tests/support/teams";
import { createLogin, createUser, password, type TestUser } from "@/tests/support/users";

const newEmail = () => `invited-${Date.now()}-${Math.random().toString(36).slice(2)}@example.com`;

/** Creates a team of this user, with a name that no other test uses. */
function createTeam({ db }: Connection, owner: TestUser): Promise<TestTeam> {
  return createTestTeam(db, { owner: [owner] }, { name: `Acme ${owner.id.slice(0, 8)}` });
}

async function invite(page: Page, team: TestTeam, email: string, role = "Member"): Promise<void> {
  await page.goto(`/t/${team.handle}/settings/members`);
  await page.getByLabel("Email", { exact: true }).fill(email);
  await page.getByLabel("Role", { exact: true }).selectOption(role);
  await page.getByRole("button", { name: "Send invitation" }).click();
  await expect(page.getByRole("status")).toHaveText("The invitation is on its way.");
}

async function rolesIn({ sql }: Connection, team: TestTeam): Promise<Record<string, string>> {
  const rows = await sql<{ email: string; role: string }[]>`
    select email, members.role from members join users on users.id = user_id where team_id = ${team.id}`;
  return Object.fromEntries(rows.map(({ email, role }) => [email, role]));
}

for (const { javaScriptEnabled, how } of bothWays) {
  test.describe(`invitations${how}`, () => {
    test.use({ javaScriptEnabled });

    test("an email without an account becomes a member by one mail, one link and one form", async ({
      app,
      connection,
      user,
      logInElsewhere,
      elsewhere,
      mailTo,
    }) => {
      const team = await createTeam(connection, user);
      const email = newEmail();
      const owner = await logInElsewhere(user, { javaScriptEnabled });
      await invite(owner, team, email, "Admin");
      await expect(owner.getByText("2 of 100 seats used")).toBeVisible();
      await expect(owner.getByText("Admin · sent by Test Person")).toBeVisible();

      const page = await elsewhere({ javaScriptEnabled });
      await page.goto(linkIn(await mailTo(email)));
      await expect(page.getByRole("heading", { name: `Join ${team.name}` })).toBeVisible();
      await expect(
        page.getByText(`Test Person (${user.email}) invites ${email} to ${team.name} as an admin.`),
      ).toBeVisible();
      await page.getByLabel("Name").fill("Grace Walker");
      if (javaScriptEnabled) {
        await page.getByRole("link", { name: "Use a passkey instead" }).click();
        await page.getByRole("link", { name: "Use a password instead" }).click();
        await expect(page.getByLabel("Name")).toHaveValue("Grace Walker");
      }
      await page.getByLabel("Password").fill("short");
      await page.getByRole("button", { name: "Create account and join", exact: true }).click();
      await expect(page.getByLabel("Password")).toHaveAttribute("aria-invalid", "true");
      await expect(page.getByLabel("Name")).toHaveValue("Grace Walker");
      await page.getByLabel("Password").fill(password);
      await page.getByRole("button", { name: "Create account and join", exact: true }).click();
      await expect(page).toHaveURL(`/t/${team.handle}`);

      expect(await rolesIn(connection, team)).toEqual({ [user.email]: "owner", [email]: "admin" });
      expect((await mailTo(user.email)).subject).toContain("was accepted");
      const mails = (await allMails(app.mails)).filter(({ to }) => to === email);
      expect(mails).toHaveLength(1);
    });

    test("a user with an account logs in, comes back and joins", async ({
      connection,
      user,
      logInElsewhere,
      elsewhere,
      mailTo,
    }) => {
      const team = await createTeam(connection, user);
      const invited = await createUser(connection.db);
      await invite(await logInElsewhere(user, { javaScriptEnabled }), team, invited.email);

      const page = await elsewhere({ javaScriptEnabled });
      await page.goto(linkIn(await mailTo(invited.email)));
      await expect(page.getByLabel("Password")).toHaveCount(0);
      await page.getByRole("link", { name: "Log in" }).click();
      await page.getByLabel("Email").fill(invited.email);
      await page.getByLabel("Password").fill(password);
      await page.getByRole("button", { name: "Log in", exact: true }).click();
      await page.getByRole("button", { name: `Join ${team.name}` }).click();
      await expect(page).toHaveURL(`/t/${team.handle}`);
      expect(await rolesIn(connection, team)).toHaveProperty([invited.email], "member");
    });

    test("a user's invitations are on the dashboard and the page of teams", async ({
      connection,
      user,
      logInElsewhere,
    }) => {
      const [first, second] = [
        await inviteFrom(connection, user.email, { team: "First" }),
        await inviteFrom(connection, user.email, { team: "Second" }),
      ];
      const page = await logInElsewhere(user, { javaScriptEnabled });
      await page.goto("/dashboard");
      await page.getByRole("button", { name: "Decline the invitation to First" }).click();
      await expect(page).toHaveURL("/teams?notice=declined");
      await expect(page.getByRole("status")).toHaveText("The invitation is declined.");
      await expect(page.getByRole("button", { name: "Join First" })).toHaveCount(0);
      await page.getByRole("button", { name: "Join Second" }).click();
      await expect(page).toHaveURL(/\/t\/[a-z0-9]{10}$/);
      await page.goto("/teams");
      await expect(page.getByRole("link", { name: "Second" })).toBeVisible();
      await expect(page.getByRole("heading", { name: "Invitations for you" })).toHaveCount(0);
      const left = await connection.sql`
        select from invitations where id in ${connection.sql([first.id, second.id])}`;
      expect(left).toHaveLength(0);
    });

    test("an invitation that is sent again has a new link; one that is revoked has none", async ({
      connection,
      user,
      logInElsewhere,
      elsewhere,
      mailTo,
      app,
    }) => {
      const team = await createTeam(connection, user);
      const email = newEmail();
      const owner = await logInElsewhere(user, { javaScriptEnabled });
      await invite(owner, team, email);
      const first = linkIn(await mailTo(email));

      await owner.getByRole("button", { name: `Send again to ${email}` }).click();
      await expect(owner.getByRole("status")).toContainText("sent again");
      const mailsTo = async () =>
        (await allMails(app.mails)).filter(({ to }) => to === email).map(linkIn);
      await expect.poll(async () => (await mailsTo()).length).toBe(2);
      const second = (await mailsTo()).find((link) => link !== first) ?? "";

      const page = await elsewhere({ javaScriptEnabled });
      await page.goto(first);
      await expect(page.getByText("This invitation does not work any more.")).toBeVisible();
      await page.goto(second);
      await expect(page.getByRole("heading", { name: `Join ${team.name}` })).toBeVisible();

      await owner.getByRole("button", { name: `Revoke the invitation of ${email}` }).click();
      await expect(owner.getByRole("status")).toContainText("is revoked");
      // The form that is still open, and the link, no longer work.
      await page.getByLabel("Name").fill("Grace Walker");
      await page.getByLabel("Password").fill(password);
      await page.getByRole("button", { name: "Create account and join", exact: true }).click();
      await expect(
        page.getByText("This invitation does not work any more. Ask for a new one."),
      ).toBeVisible();
      await page.goto(second);
      await expect(
        page.getByText("This invitation does not work any more. Ask for a new one."),
      ).toBeVisible();
      expect(await rolesIn(connection, team)).toEqual({ [user.email]: "owner" });
    });
  });
}

test("another user sees which email the invitation is for, and can log out", async ({
  connection,
  loggedIn,
  user,
}) => {
  const invited = await createUser(connection.db);
  const { token } = await inviteFrom(connection, invited.email, { team: "Acme" });
  await loggedIn.goto(`/invitations/${token}`);
  await expect(
    loggedIn.getByText(
      `This invitation is for ${invited.email}. You are logged in as ${user.email}.`,
    ),
  ).toBeVisible();
  await expect(loggedIn.getByRole("button", { name: /^Join/ })).toHaveCount(0);
  await loggedIn.getByRole("button", { name: "Log out" }).click();
  await expect(loggedIn).toHaveURL("/login?notice=logged-out");

  await logIn(loggedIn, invited.email, password);
  await expect(loggedIn).toHaveURL("/dashboard");
  await loggedIn.goto(`/invitations/${token}`);
  await loggedIn.getByRole("button", { name: "Join Acme" }).click();
  await expect(loggedIn).toHaveURL(/\/t\/[a-z0-9]{10}$/);
});

test("a link opened five times by a scanner works once for its owner", async ({
  app,
  connection,
}) => {
  const { token, email } = await inviteFrom(connection, newEmail());
  const path = `/invitations/${token}`;
  const before = await allRows(connection);
  for (let visit = 0; visit < 5; visit++) {
    const { status, headers } = await httpClient(app).get(path);
    expect([status, headers["referrer-policy"]]).toEqual([200, "no-referrer"]);
  }
  await send(app.origin, path, "HEAD", {});
  expect(await allRows(connection)).toEqual(before);

  const form = () =>
    formBody(actionNamed("createAccountAndJoin"), { token, name: "Owner", password });
  const first = await httpClient(app).post(path, form());
  expect([first.status, first.headers.location]).toEqual([
    303,
    expect.stringMatching(/^\/t\/[a-z0-9]{10}$/),
  ]);
  const after = await allRows(connection);
  const second = await httpClient(app).post(path, form());
  expect([second.status, second.setCookie]).toEqual([200, []]);
  expect(await allRows(connection)).toEqual(after);
  expect(await connection.sql`select from users where email = ${email}`).toHaveLength(1);
});

test("a used, expired or unknown link says so and changes nothing", async ({
  page,
  connection,
  user,
}) => {
  const team = await createTeam(connection, user);
  const { sql, db } = connection;
  const expired = await insertInvitation(db, team, user, { email: newEmail() });
  const used = await insertInvitation(db, team, user, { email: newEmail() });
  await sql`update invitations set expires_at = now() - interval '1 second' where id = ${expired.id}`;
  await sql`delete from invitations where token_hash = ${hashToken(used.token)}`;
  const before = await allRows(connection);
  for (const token of [used.token, expired.token, "x", "a".repeat(43), "%00", "a".repeat(3000)]) {
    const answer = await page.goto(`/invitations/${token}`);
    expect(answer?.status()).toBe(200);
    await expect(
      page.getByText("This invitation does not work any more. Ask for a new one."),
    ).toBeVisible();
  }
  expect(await allRows(connection)).toEqual(before);
});

test("the email of a member or an open invitation is refused beside the field", async ({
  connection,
  loggedIn,
  user,
}) => {
  const team = await createTeam(connection, user);
  const email = newEmail();
  await invite(loggedIn, team, email);
  const field = loggedIn.getByLabel("Email", { exact: true });
  for (const [typed, sentence] of [
    [email, "This email is invited already."],
    [user.email, "The user with this email is a member already."],
    ["nothing", "Enter an email like name@example.com."],
  ] as const) {
    await loggedIn.goto(`/t/${team.handle}/settings/members`);
    // The browser's own validation would block the last one.
    await field.evaluate((input: HTMLInputElement) => {
      if (input.form) input.form.noValidate = true;
    });
    await field.fill(typed);
    await loggedIn.getByRole("button", { name: "Send invitation" }).click();
    await expect(field).toHaveAttribute("aria-invalid", "true");
    await expect(field).toHaveAccessibleDescription(new RegExp(sentence));
    await expect(field).toHaveValue(typed);
  }
});

test("a member sees no invitations, and cannot send, repeat or revoke one", async ({
  app,
  connection,
  user,
}) => {
  const member = await createUser(connection.db);
  const team = await createTestTeam(connection.db, { owner: [user], member: [member] });
  const sent = await insertInvitation(connection.db, team, user, { email: newEmail() });
  const page = `/t/${team.handle}/settings/members`;
  const { token } = await createLogin(connection.db, member);
  // The state after a visit, which stores the team in the session once its response is sent.
  await connection.sql`
    update sessions set data = jsonb_build_object('lastTeam', ${team.handle}::text)
    where user_id = ${member.id}`;
  const from = httpClient(app, token);
  const shown = await from.get(page);
  expect(shown.status).toBe(200);
  for (const hidden of [sent.email, "Send invitation"]) expect(shown.body).not.toContain(hidden);
  const before = await allRows(connection);
  for (const [name, fields] of [
    ["sendInvitation", { email: newEmail(), role: "member" }],
    ["sendInvitationAgain", { id: sent.id }],
    ["revokeInvitation", { id: sent.id }],
  ] as const) {
    const body = formBody(actionNamed(name), { team: team.handle, ...fields });
    expect((await from.post(page, body)).status, name).toBe(404);
  }
  expect(await allRows(connection)).toEqual(before);
});
