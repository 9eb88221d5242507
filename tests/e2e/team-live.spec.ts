import { expect, listening, test } from "@/tests/support/end-to-end";
import { createTestTeam, insertInvitation } from "@/tests/support/teams";
import { createUser } from "@/tests/support/users";

/* How an open page of a team updates by itself when the members change: see app/_ui/live.tsx. */

test.use({ live: true });

test("a removed member's open page of the team goes to the list of teams; another team's page stays", async ({
  user,
  logInElsewhere,
  connection: { db },
}) => {
  const member = await createUser(db, { name: "Grace Hopper" });
  const team = await createTestTeam(db, { owner: [user], member: [member] }, { name: "Acme" });
  const other = await createTestTeam(db, { owner: [member] }, { name: "Other" });
  const theirs = await logInElsewhere(member);
  await listening(theirs, `/t/${team.handle}/settings/members`);
  const second = await theirs.context().newPage();
  await second.goto(`/t/${other.handle}`);

  const page = await logInElsewhere(user);
  await page.goto(`/t/${team.handle}/settings/members/${member.id}/remove`);
  await page.getByRole("button", { name: "Remove Grace Hopper" }).click();
  await expect(theirs).toHaveURL("/teams?notice=gone");
  await expect(theirs.getByRole("status")).toHaveText("You are no longer a member of that team.");
  await expect(theirs.getByRole("link", { name: "Acme" })).toHaveCount(0);
  await expect(second).toHaveURL(`/t/${other.handle}`);
});

test("an open members page shows who joined, with their new role, and who left", async ({
  user,
  logInElsewhere,
  connection: { db },
}) => {
  const guest = await createUser(db, { name: "Grace Hopper" });
  const team = await createTestTeam(db, { owner: [user] }, { name: "Acme" });
  await insertInvitation(db, team, user, { email: guest.email });
  const page = await logInElsewhere(user);
  await listening(page, `/t/${team.handle}/settings/members`);
  const row = page
    .getByRole("list", { name: "Members" })
    .getByRole("listitem")
    .filter({ hasText: "Grace Hopper" });
  await expect(row).toHaveCount(0);

  const theirs = await logInElsewhere(guest);
  await theirs.goto("/teams");
  await theirs.getByRole("button", { name: "Join Acme" }).click();
  await expect(row).toHaveCount(1);

  await page.getByLabel("Role of Grace Hopper").selectOption("Admin");
  await page.getByRole("button", { name: "Save the role of Grace Hopper" }).click();
  await expect(page.getByRole("status")).toContainText("The role is changed.");
  await theirs.goto(`/t/${team.handle}/settings/team`);
  await theirs.getByRole("button", { name: "Leave team" }).click();
  await expect(theirs).toHaveURL("/teams?notice=left");
  await expect(row).toHaveCount(0);
});
