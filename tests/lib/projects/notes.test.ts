import { randomUUID } from "node:crypto";
import { sql as query } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { addNote, deleteNote, listNotes } from "@/lib/projects/notes";
import { deleteProject } from "@/lib/projects/projects";
import type { TeamScope } from "@/lib/teams/scope";
import { db, sql } from "@/tests/support/database";
import { collide } from "@/tests/support/races";
import { addMember, asApiKey, createOwnedTeam, type TestTeam } from "@/tests/support/teams";

/** Creates a team with a project. */
async function createTeamWithProject() {
  const { team, owner } = await createOwnedTeam(db);
  const [row] = await sql<{ id: string }[]>`
    insert into projects (team_id, name) values (${team.id}, 'Website') returning id`;
  return { team, owner, project: `${row?.id}` };
}

async function add(scope: TeamScope, project: string, body: string): Promise<string> {
  const id = await addNote(db, scope, project, body);
  if (!id) throw new Error("addNote: refused.");
  return id;
}

const rowsOf = ({ id }: TestTeam) => sql`select * from notes where team_id = ${id} order by id`;

describe("listNotes", () => {
  it("lists the project's notes, the newest first, with their author's name", async () => {
    const { team, owner, project } = await createTeamWithProject();
    const key = asApiKey(owner.scope);
    await add(owner.scope, project, "First");
    await add(key, project, "Second\nof two lines");
    const [other] = await sql<{ id: string }[]>`
      insert into projects (team_id, name) values (${team.id}, 'Other') returning id`;
    await add(owner.scope, `${other?.id}`, "Elsewhere");
    expect(await listNotes(db, owner.scope, project, { limit: 100 })).toMatchObject([
      { body: "Second\nof two lines", author: null, createdAt: expect.any(Date) },
      { body: "First", author: owner.user.name },
    ]);
  });

  it("marks the notes that the member may delete: their own, or all for an admin", async () => {
    const { team, owner, project } = await createTeamWithProject();
    const member = await addMember(db, team, "member");
    const key = asApiKey(member.scope);
    for (const scope of [key, owner.scope, member.scope]) await add(scope, project, "Note");
    const mayDelete = async (scope: TeamScope) =>
      (await listNotes(db, scope, project, { limit: 100 })).map((note) => note.mayDelete);
    expect(await mayDelete(owner.scope)).toEqual([true, true, true]);
    expect(await mayDelete(member.scope)).toEqual([true, false, false]);
    expect(await mayDelete(key)).toEqual([false, false, false]);
  });

  it("continues where a page ended, even among notes of the same microsecond", async () => {
    const { team, owner, project } = await createTeamWithProject();
    await sql`
      insert into notes (team_id, project_id, body, created_at)
      select ${team.id}, ${project}, n, '2020-01-01 00:00:00.123456Z' from generate_series(1, 5) n`;
    const all = await listNotes(db, owner.scope, project, { limit: 100 });
    expect(all).toHaveLength(5);
    const first = await listNotes(db, owner.scope, project, { limit: 3 });
    const after = first.at(-1)?.cursor;
    const second = await listNotes(db, owner.scope, project, { limit: 3, after });
    expect([...first, ...second]).toEqual(all);
  });

  it("lists none of another team's project", async () => {
    const [{ owner }, other] = [await createTeamWithProject(), await createTeamWithProject()];
    await add(other.owner.scope, other.project, "Theirs");
    expect(await listNotes(db, owner.scope, other.project, { limit: 100 })).toEqual([]);
  });
});

describe("addNote", () => {
  it("adds none to another team's project, nor to an unknown one", async () => {
    const [{ team, owner }, other] = [await createTeamWithProject(), await createTeamWithProject()];
    for (const project of [other.project, randomUUID()])
      expect(await addNote(db, owner.scope, project, "Mine")).toBeNull();
    expect([await rowsOf(team), await rowsOf(other.team)]).toEqual([[], []]);
  });

  it("adds none of a member who was removed since the guard", async () => {
    const { team, project } = await createTeamWithProject();
    const member = await addMember(db, team, "member");
    await sql`delete from members where user_id = ${member.user.id}`;
    expect(await addNote(db, member.scope, project, "Mine")).toBeNull();
    expect(await rowsOf(team)).toEqual([]);
  });

  it("adds none to a project that is being deleted", async () => {
    const { team, owner, project } = await createTeamWithProject();
    const added = await collide(
      5,
      (tx) => deleteProject(tx, owner.scope, project),
      (own) => addNote(own, owner.scope, project, "Late"),
    );
    expect(added).toEqual([null, null, null, null, null]);
    expect(await rowsOf(team)).toEqual([]);
  });

  // A naive variant, a plain insert, waits for the deletion too, and then violates the foreign key.
  it("would fail during a deletion if it did not lock the project", async () => {
    const { team, owner, project } = await createTeamWithProject();
    const late = collide(
      5,
      (tx) => deleteProject(tx, owner.scope, project),
      (own) =>
        own.execute(query`
          insert into notes (team_id, project_id, body)
          select team_id, id, 'Late' from projects where team_id = ${team.id} and id = ${project}`),
    );
    await expect(late).rejects.toMatchObject({ cause: { constraint_name: "notes_project" } });
  });
});

describe("deleteNote", () => {
  it("is for the author, and for admins", async () => {
    const { team, owner, project } = await createTeamWithProject();
    const [admin, member] = [
      await addMember(db, team, "admin"),
      await addMember(db, team, "member"),
    ];
    const key = asApiKey(member.scope);
    const [own, another, third] = [
      await add(member.scope, project, "Mine"),
      await add(owner.scope, project, "Theirs"),
      await add(key, project, "By a key"),
    ];
    expect(await deleteNote(db, member.scope, own)).toBe(true);
    const before = await rowsOf(team);
    for (const id of [own, another, third])
      for (const scope of [member.scope, key]) expect(await deleteNote(db, scope, id)).toBe(false);
    expect(await rowsOf(team)).toEqual(before);
    expect(await deleteNote(db, admin.scope, another)).toBe(true);
    expect(await deleteNote(db, owner.scope, third)).toBe(true);
  });

  it("finds nothing by the id of another team's note", async () => {
    const [{ owner }, other] = [await createTeamWithProject(), await createTeamWithProject()];
    const theirs = await add(other.owner.scope, other.project, "Theirs");
    const before = await rowsOf(other.team);
    expect(await deleteNote(db, owner.scope, theirs)).toBe(false);
    expect(await rowsOf(other.team)).toEqual(before);
  });

  it("is not for a member who was removed or demoted since the guard", async () => {
    const { team, owner, project } = await createTeamWithProject();
    const admin = await addMember(db, team, "admin");
    const [own, another] = [
      await add(admin.scope, project, "Mine"),
      await add(owner.scope, project, "Theirs"),
    ];
    const before = await rowsOf(team);
    await sql`update members set role = 'member' where user_id = ${admin.user.id}`;
    expect(await deleteNote(db, admin.scope, another)).toBe(false);
    await sql`delete from members where user_id = ${admin.user.id}`;
    for (const id of [own, another]) expect(await deleteNote(db, admin.scope, id)).toBe(false);
    expect(await rowsOf(team)).toEqual(before);
  });
});
