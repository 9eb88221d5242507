import { describe, expect, it } from "vitest";
import { exportProjects } from "@/lib/projects/export";
import { db, sql } from "@/tests/support/database";
import { addMember, createOwnedTeam } from "@/tests/support/teams";

describe("exportProjects", () => {
  it("has the team's projects and notes, and names no former member", async () => {
    const [{ team, owner }, other] = [await createOwnedTeam(db), await createOwnedTeam(db)];
    const former = await addMember(db, team, "member");
    for (const { id } of [team, other.team])
      await sql`
        with project as (
          insert into projects (team_id, name) values (${id}, ${`Of ${id}`}) returning id)
        insert into notes (team_id, project_id, body, author_id, created_at)
        select ${id}, project.id, body, author_id::uuid, now() + n * interval '1 second'
        from project, (values (1, 'First', ${owner.user.id}), (2, 'Second', ${former.user.id}))
          as given (n, body, author_id)`;
    await sql`delete from members where user_id = ${former.user.id}`;
    expect(await exportProjects(db, owner.scope)).toEqual({
      projects: [
        {
          ...{ id: expect.any(String), name: `Of ${team.id}` },
          ...{ createdAt: expect.any(Date), archivedAt: null },
        },
      ],
      notes: [
        {
          ...{ projectId: expect.any(String), body: "First" },
          author: owner.user.email,
          createdAt: expect.any(Date),
        },
        {
          ...{ projectId: expect.any(String), body: "Second" },
          author: null,
          createdAt: expect.any(Date),
        },
      ],
    });
  });
});
