import { randomUUID } from "node:crypto";
import { sql as query } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import type { Db } from "@/lib/db/client";
import {
  changeProject,
  createProject,
  deleteProject,
  findProject,
  listProjects,
} from "@/lib/projects/projects";
import type { TeamScope } from "@/lib/teams/scope";
import { db, sql } from "@/tests/support/database";
import { scansOf } from "@/tests/support/plans";
import { collide } from "@/tests/support/races";
import { addMember, asApiKey, createOwnedTeam, type TestTeam } from "@/tests/support/teams";

/** Returns the scope as if the team's plan had this limit. */
const limitedTo = <Scope extends TeamScope>(scope: Scope, projects: number): Scope => ({
  ...scope,
  limits: { ...scope.limits, projects },
});

async function create(scope: TeamScope, name: string): Promise<string> {
  const created = await createProject(db, scope, name);
  if (!created.ok) throw new Error(`createProject: ${created.reason}`);
  return created.id;
}

const rowsOf = ({ id }: TestTeam) => sql`select * from projects where team_id = ${id} order by id`;

async function names(scope: TeamScope, page: Partial<Parameters<typeof listProjects>[2]> = {}) {
  return (await listProjects(db, scope, { limit: 100, ...page })).map(({ name }) => name);
}

describe("listProjects", () => {
  it("lists the team's projects, the newest first, with the number of their notes", async () => {
    const { team, owner } = await createOwnedTeam(db);
    const first = await create(owner.scope, "First");
    await create(owner.scope, "Second");
    await sql`
      insert into notes (team_id, project_id, body) select ${team.id}, ${first}, 'Note' from generate_series(1, 3)`;
    expect(await listProjects(db, owner.scope, { limit: 100 })).toMatchObject([
      { name: "Second", archived: false, notes: 0, createdAt: expect.any(Date) },
      { id: first, name: "First", archived: false, notes: 3 },
    ]);
  });

  it("lists none of another team", async () => {
    const [{ owner }, other] = [await createOwnedTeam(db), await createOwnedTeam(db)];
    await create(other.owner.scope, "Theirs");
    expect(await names(owner.scope)).toEqual([]);
    expect(await names(owner.scope, { search: "Theirs" })).toEqual([]);
  });

  it("finds any literal part of a name in any case, and archived projects separately", async () => {
    const { owner } = await createOwnedTeam(db);
    for (const name of ["Website", "100% Zoë", "under_score"]) await create(owner.scope, name);
    await changeProject(db, owner.scope, await create(owner.scope, "Old website"), {
      archived: true,
    });
    for (const [search, found] of [
      ["SITE", ["Old website", "Website"]],
      ["zOË", ["100% Zoë"]],
      ["%", ["100% Zoë"]],
      ["r_s", ["under_score"]],
      ["e_s", []],
      ["'; drop table projects; --", []],
    ] as const)
      expect(await names(owner.scope, { search })).toEqual(found);
    expect(await names(owner.scope, { search: "site", archived: true })).toEqual(["Old website"]);
    expect(await names(owner.scope, { search: "site", archived: false })).toEqual(["Website"]);
  });

  it("continues where a page ended, even among projects of the same microsecond", async () => {
    const { team, owner } = await createOwnedTeam(db);
    await sql`
      insert into projects (team_id, name, created_at)
      select ${team.id}, 'Twin ' || n, '2020-01-01 00:00:00.123456Z' from generate_series(1, 7) n`;
    const all = await names(owner.scope);
    expect(all).toHaveLength(7);
    const seen: string[] = [];
    for (let after: string | undefined; seen.length < 7; ) {
      const page = await listProjects(db, owner.scope, { limit: 2, after });
      if (page.length === 0) break;
      seen.push(...page.map(({ name }) => name));
      after = page.at(-1)?.cursor;
    }
    expect(seen).toEqual(all);
    expect(await names(owner.scope, { after: "no cursor" })).toEqual(all);
  });

  it("reads only the page of 10,000 projects, wherever it is", async () => {
    const { team, owner } = await createOwnedTeam(db);
    await sql`
      insert into projects (team_id, name, created_at)
      select ${team.id}, 'Project ' || n, now() - n * interval '1 minute' from generate_series(1, 10000) n`;
    await sql`analyze projects, notes`;
    const [middle] = await sql<{ cursor: string }[]>`
      select (extract(epoch from created_at) * 1000000)::bigint || '.' || id as cursor
      from projects where team_id = ${team.id} and name = 'Project 5000'`;
    for (const after of [undefined, middle?.cursor]) {
      const scans = await scansOf((db) =>
        listProjects(db, owner.scope, { archived: false, after, limit: 25 }),
      );
      const scan = scans.find((each) => each["Relation Name"] === "projects");
      expect(scan).toMatchObject({ "Node Type": "Index Scan", "Index Name": "projects_newest" });
      expect(scan?.["Actual Rows"]).toBe(25);
      expect(scan?.["Rows Removed by Filter"] ?? 0).toBe(0);
    }
  });
});

describe("createProject", () => {
  it("is for every member, and for an API key of the team", async () => {
    const { team, owner } = await createOwnedTeam(db);
    const member = await addMember(db, team, "member");
    await create(owner.scope, "One");
    await create(member.scope, "Two");
    await create(asApiKey(owner.scope), "Three");
    expect(
      await sql`select name, created_by from projects where team_id = ${team.id} order by created_at`,
    ).toEqual([
      { name: "One", created_by: owner.user.id },
      { name: "Two", created_by: member.user.id },
      { name: "Three", created_by: null },
    ]);
  });
});

describe("a project that is created while its team is deleted", () => {
  const whileDeleted = async (insert: (own: Db, scope: TeamScope) => Promise<unknown>) => {
    const { team, owner } = await createOwnedTeam(db);
    const deletion = (tx: Db) => tx.execute(query`delete from teams where id = ${team.id}`);
    return collide(1, deletion, (own) => insert(own, asApiKey(owner.scope)));
  };

  it("is refused", async () => {
    const created = await whileDeleted((own, scope) => createProject(own, scope, "Late"));
    expect(created).toEqual([{ ok: false, reason: "not-allowed" }]);
  });

  it("would be a database error without the lock on the team", async () => {
    const inserted = whileDeleted((own, { teamId }) =>
      own.execute(query`insert into projects (team_id, name) values (${teamId}, 'Late')`),
    );
    await expect(inserted).rejects.toMatchObject({ cause: { code: "23503" } });
  });
});

describe("a change of a project", () => {
  it("is allowed to every member; deletion needs an admin, and deletes the notes", async () => {
    const { team, owner } = await createOwnedTeam(db);
    const [admin, member] = [
      await addMember(db, team, "admin"),
      await addMember(db, team, "member"),
    ];
    const id = await create(owner.scope, "Website");
    await sql`insert into notes (team_id, project_id, body) values (${team.id}, ${id}, 'Note')`;
    expect(await changeProject(db, member.scope, id, { name: "Shop" })).toBe(true);
    expect(await changeProject(db, member.scope, id, { archived: true })).toBe(true);
    expect(await findProject(db, owner.scope, id)).toMatchObject({ name: "Shop", archived: true });
    expect(await changeProject(db, member.scope, id, { archived: false })).toBe(true);
    expect(await findProject(db, owner.scope, id)).toMatchObject({ archived: false });
    const before = await rowsOf(team);
    expect(await deleteProject(db, member.scope, id)).toBe(false);
    expect(await deleteProject(db, asApiKey(owner.scope), id)).toBe(false);
    expect(await rowsOf(team)).toEqual(before);
    expect(await deleteProject(db, admin.scope, id)).toBe(true);
    expect(await findProject(db, owner.scope, id)).toBeNull();
    expect(await sql`select from notes where team_id = ${team.id}`).toEqual([]);
  });

  it("keeps the time at which a project was archived first", async () => {
    const { team, owner } = await createOwnedTeam(db);
    const id = await create(owner.scope, "Website");
    await changeProject(db, owner.scope, id, { archived: true });
    const before = await rowsOf(team);
    expect(await changeProject(db, owner.scope, id, { archived: true })).toBe(true);
    expect(await rowsOf(team)).toEqual(before);
  });

  it("finds nothing by the id of another team's project, nor by an unknown one", async () => {
    const [{ owner }, other] = [await createOwnedTeam(db), await createOwnedTeam(db)];
    const theirs = await create(other.owner.scope, "Theirs");
    const before = await rowsOf(other.team);
    for (const id of [theirs, randomUUID()]) {
      expect(await findProject(db, owner.scope, id)).toBeNull();
      expect(await changeProject(db, owner.scope, id, { name: "Mine" })).toBe(false);
      expect(await changeProject(db, owner.scope, id, { archived: true })).toBe(false);
      expect(await deleteProject(db, owner.scope, id)).toBe(false);
    }
    expect(await rowsOf(other.team)).toEqual(before);
  });

  it("is not made by a member who was removed or demoted since the guard", async () => {
    const { team, owner } = await createOwnedTeam(db);
    const admin = await addMember(db, team, "admin");
    const id = await create(admin.scope, "Website");
    const before = await rowsOf(team);
    await sql`update members set role = 'member' where user_id = ${admin.user.id}`;
    expect(await deleteProject(db, admin.scope, id)).toBe(false);
    await sql`delete from members where user_id = ${admin.user.id}`;
    const refused = { ok: false, reason: "not-allowed" };
    for (const scope of [admin.scope, limitedTo(admin.scope, 3)])
      expect(await createProject(db, scope, "Mine")).toEqual(refused);
    expect(await changeProject(db, admin.scope, id, { name: "Mine" })).toBe(false);
    expect(await changeProject(db, admin.scope, id, { archived: true })).toBe(false);
    expect(await deleteProject(db, admin.scope, id)).toBe(false);
    expect(await rowsOf(team)).toEqual(before);
    expect(await changeProject(db, owner.scope, id, { name: "Shop" })).toBe(true);
  });
});
