import type { Page } from "@playwright/test";
import { bothWays, expect, test } from "@/tests/support/end-to-end";
import { createTestTeam } from "@/tests/support/teams";
import { createUser } from "@/tests/support/users";

const names = (page: Page) => page.getByRole("table").getByRole("link").allTextContents();

async function search(page: Page, text: string, show: "Active" | "Archived"): Promise<void> {
  await page.getByLabel("Search").fill(text);
  await page.getByLabel("Show").selectOption(show);
  await page.getByRole("button", { name: "Search" }).click();
}

for (const { javaScriptEnabled, how } of bothWays) {
  test(`a project is created, gets a note, is renamed, archived, found and deleted${how}`, async ({
    user,
    logInElsewhere,
    connection: { db },
  }) => {
    const { handle } = await createTestTeam(db, { owner: [user] });
    const page = await logInElsewhere(user, { javaScriptEnabled });
    await page.goto(`/t/${handle}`);
    await expect(page.getByRole("heading", { name: "No active projects" })).toBeVisible();
    await page.getByLabel("New project").fill("Website");
    await page.getByRole("button", { name: "Create project" }).click();
    await expect(page).toHaveURL(/\/projects\/[\da-f-]+\?notice=created$/);
    await expect(page.getByRole("heading", { name: "Website", level: 1 })).toBeVisible();

    await page.getByRole("textbox", { name: "Note" }).fill(" ");
    await page.getByRole("button", { name: "Add note" }).click();
    await expect(page.getByRole("textbox", { name: "Note" })).toHaveAccessibleDescription(
      "Write something.",
    );
    await page.getByRole("textbox", { name: "Note" }).fill("Ask for a quote.\nThen decide.");
    await page.getByRole("button", { name: "Add note" }).click();
    const note = page.getByRole("listitem").filter({ hasText: "Ask for a quote." });
    await expect(note).toContainText(`${user.name}, just now`);
    await note.getByRole("button", { name: "Delete the note" }).click();
    await expect(page.getByRole("status")).toHaveText("The note is deleted.");
    await expect(page.getByText("No notes yet.")).toBeVisible();

    await page.getByLabel("Name").fill("Shop");
    await page.getByRole("button", { name: "Rename" }).click();
    await expect(page.getByRole("heading", { name: "Shop", level: 1 })).toBeVisible();
    await page.getByRole("button", { name: "Archive", exact: true }).click();
    await expect(page.getByText("Archived", { exact: true })).toBeVisible();

    await page.getByRole("navigation", { name: "Team" }).getByText("Projects").click();
    await expect(page.getByRole("heading", { name: "No active projects" })).toBeVisible();
    await search(page, "nothing", "Archived");
    await expect(page.getByText("No projects match.")).toBeVisible();
    await search(page, "SHO", "Archived");
    await expect.poll(() => names(page)).toEqual(["Shop"]);
    await expect(page).toHaveURL(`/t/${handle}?q=SHO&show=archived`);

    await page.getByRole("link", { name: "Shop" }).click();
    await page.getByRole("button", { name: "Unarchive" }).click();
    await expect(page.getByRole("status")).toHaveText("The project is active again.");
    await page.getByRole("button", { name: "Delete project" }).click();
    await expect(page.getByLabel("Delete “Shop” and its notes")).toHaveAccessibleDescription(
      "Tick this box to delete the project.",
    );
    await page.getByLabel("Delete “Shop” and its notes").check();
    await page.getByRole("button", { name: "Delete project" }).click();
    await expect(page).toHaveURL(`/t/${handle}?notice=deleted`);
    await expect(page.getByRole("heading", { name: "No active projects" })).toBeVisible();
  });
}

test("a list of many projects and notes has pages", async ({
  user,
  loggedIn,
  connection: { db, sql },
}) => {
  const { id, handle } = await createTestTeam(db, { owner: [user] });
  const [project] = await sql`
    insert into projects (team_id, name, created_at)
    select ${id}, 'Project ' || n, now() - n * interval '1 day' from generate_series(1, 30) n
    returning id`;
  await sql`
    insert into notes (team_id, project_id, body, created_at)
    select ${id}, ${project?.id}, 'Note ' || n, now() - n * interval '1 day'
    from generate_series(1, 30) n`;
  await loggedIn.goto(`/t/${handle}`);
  await expect(loggedIn.getByRole("link", { name: /^Project \d+$/ })).toHaveCount(25);
  await loggedIn.getByRole("link", { name: "Older" }).click();
  await expect.poll(() => names(loggedIn)).toEqual([26, 27, 28, 29, 30].map((n) => `Project ${n}`));
  await loggedIn.getByRole("link", { name: "Newest" }).click();
  await loggedIn.getByRole("link", { name: "Project 1", exact: true }).click();
  await expect(loggedIn.getByRole("listitem").filter({ hasText: /^Note/ })).toHaveCount(25);
  await loggedIn.getByRole("link", { name: "Older" }).click();
  await expect(loggedIn.getByRole("listitem").filter({ hasText: /^Note/ })).toHaveCount(5);
});

test("a member can delete only their own notes, and no project", async ({
  user,
  loggedIn,
  connection: { db, sql },
}) => {
  const owner = await createUser(db, { name: "Olga Owner" });
  const { id, handle } = await createTestTeam(db, { owner: [owner], member: [user] });
  const [project] = await sql`
    insert into projects (team_id, name, created_by) values (${id}, 'Website', ${owner.id}) returning id`;
  await sql`
    insert into notes (team_id, project_id, body, author_id) values
      (${id}, ${project?.id}, 'Theirs', ${owner.id}), (${id}, ${project?.id}, 'Mine', ${user.id})`;
  await loggedIn.goto(`/t/${handle}/projects/${project?.id}`);
  await expect(loggedIn.getByText("Olga Owner")).toBeVisible();
  await expect(loggedIn.getByRole("button", { name: /^Delete/ })).toHaveText([/“Mine”/]);
});

test("a project of another team, or of none, is not found", async ({
  user,
  loggedIn,
  connection: { db, sql },
}) => {
  const [own, other] = [
    await createTestTeam(db, { owner: [user] }),
    await createTestTeam(db, { owner: [await createUser(db)] }),
  ];
  const [theirs] = await sql`
    insert into projects (team_id, name) values (${other.id}, 'Theirs') returning id`;
  for (const path of [
    `/t/${own.handle}/projects/${theirs?.id}`,
    `/t/${other.handle}/projects/${theirs?.id}`,
    `/t/${own.handle}/projects/${own.id}`,
    `/t/${own.handle}/projects/none`,
  ]) {
    const answer = await loggedIn.goto(path);
    expect(answer?.status(), path).toBe(404);
    expect(await loggedIn.content(), path).not.toContain("Theirs");
  }
});
