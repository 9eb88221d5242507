import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import { findTeamForAdmin, listAllTeams, makeOwner } from "@/lib/teams/administration";
import { db, sql } from "@/tests/support/database";
import { eventRows, jobRows } from "@/tests/support/rows";
import { addMember, createOwnedTeam, createTestTeam, rolesIn } from "@/tests/support/teams";
import { createLogin, createUser, type TestUser } from "@/tests/support/users";

const refused = (reason: string) => ({ ok: false, reason });

async function anAdmin() {
  const user = await createUser(db, { role: "admin" });
  return { user, ...(await createLogin(db, user)) };
}

const suspend = ({ id }: TestUser) => sql`
  update users set status = 'suspended', suspension_reason = 'Test.' where id = ${id}`;

async function ownerlessTeam() {
  const { team, owner } = await createOwnedTeam(db, { name: "Adrift" });
  const member = await addMember(db, team, "member");
  await suspend(owner.user);
  return { team, owner, member };
}

describe("makeOwner", () => {
  it("makes a member the owner of a team whose owners are suspended, and tells them", async () => {
    const { team, owner, member } = await ownerlessTeam();
    const { session } = await anAdmin();
    expect(await makeOwner(db, session, team.id, member.user.id)).toEqual({ ok: true });
    expect(await rolesIn(db, team)).toEqual({
      [owner.user.id]: "owner",
      [member.user.id]: "owner",
    });
    expect((await eventRows(member.user)).at(-1)).toMatchObject({
      ...{ kind: "team-owner-made", detail: { by: "administrator" } },
    });
    expect(JSON.stringify(await jobRows(member.user))).toContain("team-role-changed");
  });

  it("does nothing where an owner is active, or the user is no member, or suspended", async () => {
    const { session } = await anAdmin();
    const { team, member } = await ownerlessTeam();
    const outsider = await createUser(db);
    expect(await makeOwner(db, session, team.id, outsider.id)).toEqual(refused("gone"));
    expect(await makeOwner(db, session, randomUUID(), member.user.id)).toEqual(refused("gone"));
    await suspend(member.user);
    expect(await makeOwner(db, session, team.id, member.user.id)).toEqual(refused("suspended"));
    const active = await createOwnedTeam(db);
    const other = await addMember(db, active.team, "admin");
    expect(await makeOwner(db, session, active.team.id, other.user.id)).toEqual(
      refused("has-owner"),
    );
    expect((await rolesIn(db, active.team))[other.user.id]).toBe("admin");
  });

  it("is for administrators with a strong session, and never for themselves", async () => {
    const { team, member } = await ownerlessTeam();
    const { user, session } = await anAdmin();
    const weak = await createLogin(db, user, { amr: ["pwd"] });
    for (const actor of [member.session, weak.session])
      expect(await makeOwner(db, actor, team.id, member.user.id)).toEqual(refused("not-allowed"));
    await sql`insert into members (team_id, user_id, role) values (${team.id}, ${user.id}, 'member')`;
    expect(await makeOwner(db, session, team.id, user.id)).toEqual(refused("not-allowed"));
    expect((await rolesIn(db, team))[user.id]).toBe("member");
  });
});

describe("listAllTeams", () => {
  it("finds teams by a part of the name or the handle, and pages through them", async () => {
    const user = await createUser(db);
    const made = [];
    for (const name of ["Zürich 50%", "Zürich 2", "Zürich 3"])
      made.unshift(await createTestTeam(db, { owner: [user] }, { name }));
    const [newest, , oldest] = made;
    const names = (found: { name: string }[]) => found.map(({ name }) => name);
    const first = await listAllTeams(db, { search: "zürich", limit: 2 });
    expect(names(first)).toEqual(["Zürich 3", "Zürich 2"]);
    const rest = { search: "zürich", after: first[1]?.cursor, limit: 2 };
    expect(names(await listAllTeams(db, rest))).toEqual(["Zürich 50%"]);
    expect(names(await listAllTeams(db, { search: "50%", limit: 9 }))).toEqual([oldest?.name]);
    expect(names(await listAllTeams(db, { search: newest?.handle ?? "", limit: 9 }))).toEqual([
      newest?.name,
    ]);
    expect(await listAllTeams(db, { search: "no such team", limit: 9 })).toEqual([]);
    expect(first[0]).toMatchObject({ members: 1, plan: "pro" });
  });
});

describe("findTeamForAdmin", () => {
  it("has the members, owners first, and nothing of another team", async () => {
    const { team, owner } = await createOwnedTeam(db);
    const member = await addMember(db, team, "member");
    const admin = await addMember(db, team, "admin");
    await createOwnedTeam(db);
    const found = await findTeamForAdmin(db, team.id);
    expect(found?.people.map(({ id }) => id)).toEqual(
      [owner, admin, member].map(({ user }) => user.id),
    );
    expect(found).toMatchObject({ name: team.name, members: 3, requiresStrong: false });
    expect(await findTeamForAdmin(db, randomUUID())).toBeNull();
  });
});
