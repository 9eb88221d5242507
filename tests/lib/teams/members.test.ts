import { describe, expect, it } from "vitest";
import { invalidateSession } from "@/lib/auth/sessions/end";
import {
  changeMemberRole,
  findMember,
  leaveTeam,
  listKeysMadeBy,
  listMembers,
  removeMember,
  transferOwnership,
} from "@/lib/teams/members";
import { can, type TeamRole, teamRoles } from "@/lib/teams/roles";
import { db, sql } from "@/tests/support/database";
import { jobRows, mailKinds } from "@/tests/support/rows";
import {
  addMember,
  createOwnedTeam,
  insertInvitation,
  insertTeamKey,
  rolesIn,
  rowsOf,
  type TestMember,
  type TestTeam,
} from "@/tests/support/teams";
import { createLogin, createUser } from "@/tests/support/users";

const notAllowed = { ok: false, reason: "not-allowed" };
const unknownId = "00000000-0000-4000-8000-000000000000";

/** Creates a team with an owner and two members of these roles: the actor and the target. */
async function teamOf(
  actorRole: TeamRole,
  targetRole: TeamRole,
): Promise<{ team: TestTeam; actor: TestMember; target: TestMember }> {
  const { team } = await createOwnedTeam(db);
  const actor = await addMember(db, team, actorRole);
  return { team, actor, target: await addMember(db, team, targetRole) };
}

const pairs = teamRoles.flatMap((actor) => teamRoles.map((target) => [actor, target] as const));

async function eventsOf(team: TestTeam): Promise<object[]> {
  return [
    ...(await sql`
      select kind, user_id as user, actor_id as actor, session_id as session, detail
      from audit_events where team_id = ${team.id} order by id`),
  ];
}

const invitationsOf = (team: TestTeam) =>
  sql<{ id: string }[]>`select id from invitations where team_id = ${team.id}`;

const keysOf = (team: TestTeam) =>
  sql<{ id: string }[]>`select id from team_keys where team_id = ${team.id} order by id`;

describe("listMembers", () => {
  it("has the team's members by name, with the day of their latest activity and no time", async () => {
    const { team, owner } = await createOwnedTeam(db);
    await sql`update users set name = 'zoe' where id = ${owner.user.id}`;
    const [ada, bob] = [await addMember(db, team, "admin"), await addMember(db, team, "member")];
    await sql`update users set name = case id when ${ada.user.id} then 'Ada' else 'bob' end
      where id in (${ada.user.id}, ${bob.user.id})`;
    await sql`update sessions set last_seen_at = '2026-03-01T23:30:00Z' where user_id = ${ada.user.id}`;
    await sql`delete from sessions where user_id = ${bob.user.id}`;
    await createOwnedTeam(db);

    const listed = await listMembers(db, owner.scope);
    const today = new Date().toISOString().slice(0, 10);
    expect(listed).toMatchObject([
      { name: "Ada", email: ada.user.email, role: "admin", lastActiveOn: "2026-03-01" },
      { name: "bob", email: bob.user.email, role: "member", lastActiveOn: null },
      { name: "zoe", email: owner.user.email, role: "owner", lastActiveOn: today },
    ]);
    expect(listed[0]?.joinedAt).toBeInstanceOf(Date);
  });
});

describe("findMember and listKeysMadeBy", () => {
  it("find nothing of another team", async () => {
    const [{ team, owner }, other] = [await createOwnedTeam(db), await createOwnedTeam(db)];
    const key = await insertTeamKey(db, team, owner.user, "Deployment");
    expect(await findMember(db, owner.scope, owner.user.id)).toMatchObject({ role: "owner" });
    expect(await listKeysMadeBy(db, owner.scope, owner.user.id)).toEqual([
      { id: key.id, name: "Deployment", prefix: "lk_team_0000", lastUsedAt: null },
    ]);
    expect(await findMember(db, other.owner.scope, owner.user.id)).toBeNull();
    expect(await listKeysMadeBy(db, other.owner.scope, owner.user.id)).toEqual([]);
  });
});

describe("changeMemberRole", () => {
  const cells = pairs.flatMap(([actor, target]) =>
    teamRoles.map((to) => [actor, target, to] as const),
  );

  it.each(cells)("%s, to a %s, the role %s: as roles.ts says", async (actorRole, role, to) => {
    const { team, actor, target } = await teamOf(actorRole, role);
    const before = await rowsOf(db, team);
    const changed = await changeMemberRole(db, actor.scope, target.user.id, to);
    if (!can(actorRole, "change-role", { target: role, to })) expect(changed).toEqual(notAllowed);
    else if (role === to) expect(changed).toEqual({ ok: false, reason: "unchanged" });
    else expect(changed).toEqual({ ok: true });
    if (changed.ok) expect(await rolesIn(db, team)).toMatchObject({ [target.user.id]: to });
    else expect(await rowsOf(db, team)).toEqual(before);
  });

  it("says so in the audit log and by a mail", async () => {
    const { team, owner } = await createOwnedTeam(db, { name: "Acme" });
    const member = await addMember(db, team, "member");
    await changeMemberRole(db, owner.scope, member.user.id, "admin");
    expect(await eventsOf(team)).toEqual([
      {
        ...{ kind: "team-role-changed", user: member.user.id, actor: owner.user.id },
        ...{ session: null, detail: { role: "admin", invitations: 0 } },
      },
    ]);
    expect(await jobRows(member.user)).toMatchObject([
      {
        task: "team-mail",
        payload: { mail: "team-role-changed", team: "Acme", handle: team.handle, role: "admin" },
      },
    ]);
  });

  it("mails the active owners about a new owner, also the one who has made it", async () => {
    const { team, owner } = await createOwnedTeam(db, { name: "Acme" });
    const [second, idle, admin, member] = [
      await addMember(db, team, "owner"),
      await addMember(db, team, "owner"),
      await addMember(db, team, "admin"),
      await addMember(db, team, "member"),
    ];
    await sql`update users set status = 'suspended' where id = ${idle.user.id}`;
    await changeMemberRole(db, owner.scope, member.user.id, "owner");
    for (const { user } of [owner, second])
      expect(await jobRows(user)).toMatchObject([
        {
          payload: {
            ...{ mail: "team-owner-added", to: user.email, team: "Acme", handle: team.handle },
            ...{ email: member.user.email, by: owner.user.email },
          },
        },
      ]);
    expect(await mailKinds(member.user)).toEqual(["team-role-changed"]);
    for (const { user } of [idle, admin]) expect(await mailKinds(user)).toEqual([]);
  });

  it("ends only the invitations of an admin who becomes a member", async () => {
    const { team, owner } = await createOwnedTeam(db);
    const admin = await addMember(db, team, "admin");
    const [, kept] = [
      await insertInvitation(db, team, admin.user),
      await insertInvitation(db, team, owner.user),
    ];
    const other = await createOwnedTeam(db);
    await insertInvitation(db, other.team, admin.user);
    expect(await changeMemberRole(db, owner.scope, admin.user.id, "member")).toEqual({ ok: true });
    expect(await invitationsOf(team)).toEqual([{ id: kept.id }]);
    expect(await invitationsOf(other.team)).toHaveLength(1);
    expect(await eventsOf(team)).toMatchObject([{ detail: { role: "member", invitations: 1 } }]);
  });

  it("keeps the invitations of an owner who becomes an admin", async () => {
    const { team, actor, target } = await teamOf("owner", "owner");
    await insertInvitation(db, team, target.user);
    expect(await changeMemberRole(db, actor.scope, target.user.id, "admin")).toEqual({ ok: true });
    expect(await invitationsOf(team)).toHaveLength(1);
  });

  it("lets an owner step down, unless no other active owner is left", async () => {
    const { team, owner } = await createOwnedTeam(db);
    const lastOwner = { ok: false, reason: "last-owner" };
    expect(await changeMemberRole(db, owner.scope, owner.user.id, "admin")).toEqual(lastOwner);
    const second = await addMember(db, team, "owner");
    await sql`update users set status = 'suspended' where id = ${second.user.id}`;
    const before = await rowsOf(db, team);
    expect(await changeMemberRole(db, owner.scope, owner.user.id, "admin")).toEqual(lastOwner);
    expect(await rowsOf(db, team)).toEqual(before);
    await sql`update users set status = 'active' where id = ${second.user.id}`;
    expect(await changeMemberRole(db, owner.scope, owner.user.id, "admin")).toEqual({ ok: true });
    expect(await eventsOf(team)).toMatchObject([
      { user: owner.user.id, actor: null, session: owner.session.id },
    ]);
  });

  it("finds no member in a user of another team, nor in an unknown id", async () => {
    const [{ owner }, other] = [await createOwnedTeam(db), await createOwnedTeam(db)];
    const before = await rowsOf(db, other.team);
    for (const id of [other.owner.user.id, unknownId])
      expect(await changeMemberRole(db, owner.scope, id, "member")).toEqual({
        ...{ ok: false, reason: "gone" },
      });
    expect(await rowsOf(db, other.team)).toEqual(before);
  });

  it("is refused where the actor's role, membership or session has ended", async () => {
    for (const end of [demote, remove, logOut]) {
      const { team, actor, target } = await teamOf("owner", "member");
      await end(actor);
      const before = await rowsOf(db, team);
      expect(await changeMemberRole(db, actor.scope, target.user.id, "admin")).toEqual(notAllowed);
      expect(await rowsOf(db, team)).toEqual(before);
    }
  });
});

describe("transferOwnership", () => {
  it.each(pairs)("by a %s to a %s: as roles.ts says", async (actorRole, targetRole) => {
    const { team, actor, target } = await teamOf(actorRole, targetRole);
    const before = await rowsOf(db, team);
    const transferred = await transferOwnership(db, actor.scope, target.user.id);
    expect(transferred).toEqual(can(actorRole, "transfer") ? { ok: true } : notAllowed);
    if (!transferred.ok) return expect(await rowsOf(db, team)).toEqual(before);
    expect(await rolesIn(db, team)).toMatchObject({
      ...{ [target.user.id]: "owner", [actor.user.id]: "admin" },
    });
  });

  it("by the only owner leaves an event and a mail to each of the two", async () => {
    const { team, owner } = await createOwnedTeam(db);
    const member = await addMember(db, team, "member");
    expect(await transferOwnership(db, owner.scope, member.user.id)).toEqual({ ok: true });
    const kind = "team-role-changed";
    const given = { kind, user: owner.user.id, actor: null, session: owner.session.id };
    const received = { kind, user: member.user.id, actor: owner.user.id, session: null };
    const events = await eventsOf(team);
    expect(events).toHaveLength(2);
    expect(events).toContainEqual({ ...given, detail: { role: "admin" } });
    expect(events).toContainEqual({ ...received, detail: { role: "owner" } });
    expect(await jobRows(member.user)).toMatchObject([{ payload: { role: "owner" } }]);
    expect(await jobRows(owner.user)).toMatchObject([{ payload: { role: "admin" } }]);
  });

  it("mails the other owners about the new one", async () => {
    const { team, owner } = await createOwnedTeam(db);
    const [second, member] = [
      await addMember(db, team, "owner"),
      await addMember(db, team, "member"),
    ];
    await transferOwnership(db, owner.scope, member.user.id);
    expect(await mailKinds(second.user)).toEqual(["team-owner-added"]);
    for (const { user } of [owner, member])
      expect(await mailKinds(user)).toEqual(["team-role-changed"]);
  });

  it("accepts only an active member: no other user, no suspended member, not oneself", async () => {
    const { team, actor, target } = await teamOf("owner", "admin");
    await sql`update users set status = 'suspended' where id = ${target.user.id}`;
    const other = await createOwnedTeam(db);
    const before = [await rowsOf(db, team), await rowsOf(db, other.team)];
    const to = async (id: string) => (await transferOwnership(db, actor.scope, id)) as object;
    expect(await to(target.user.id)).toEqual({ ok: false, reason: "suspended" });
    expect(await to(other.owner.user.id)).toEqual({ ok: false, reason: "gone" });
    expect(await to(actor.user.id)).toEqual({ ok: false, reason: "unchanged" });
    expect([await rowsOf(db, team), await rowsOf(db, other.team)]).toEqual(before);
  });
});

describe("leaveTeam", () => {
  it.each(teamRoles)("lets a %s of a team with another owner leave", async (role) => {
    const { team, actor } = await teamOf(role, "member");
    expect(await leaveTeam(db, actor.scope)).toEqual({ ok: true });
    expect(await rolesIn(db, team)).not.toHaveProperty(actor.user.id);
    expect(await eventsOf(team)).toMatchObject([
      { kind: "team-left", user: actor.user.id, actor: null, session: actor.session.id },
    ]);
    expect(await jobRows(actor.user)).toEqual([]);
  });

  it("lets the member of a team with one owner leave", async () => {
    const { team, owner } = await createOwnedTeam(db);
    const member = await addMember(db, team, "member");
    expect(await leaveTeam(db, member.scope)).toEqual({ ok: true });
    expect(await rolesIn(db, team)).toEqual({ [owner.user.id]: "owner" });
  });

  it("is refused to the last active owner, even if the team has no other member", async () => {
    const { team, owner } = await createOwnedTeam(db);
    const lastOwner = { ok: false, reason: "last-owner" };
    expect(await leaveTeam(db, owner.scope)).toEqual(lastOwner);
    const second = await addMember(db, team, "owner");
    await addMember(db, team, "admin");
    await sql`update users set status = 'suspended' where id = ${second.user.id}`;
    const before = await rowsOf(db, team);
    expect(await leaveTeam(db, owner.scope)).toEqual(lastOwner);
    expect(await rowsOf(db, team)).toEqual(before);
  });

  it("ends the leaving member's invitations, and keeps the keys they made", async () => {
    const { team, owner } = await createOwnedTeam(db);
    const admin = await addMember(db, team, "admin");
    await insertInvitation(db, team, admin.user);
    const kept = await insertInvitation(db, team, owner.user);
    const key = await insertTeamKey(db, team, admin.user);
    expect(await leaveTeam(db, admin.scope)).toEqual({ ok: true });
    expect(await invitationsOf(team)).toEqual([{ id: kept.id }]);
    expect(await keysOf(team)).toEqual([{ id: key.id }]);
  });

  it("is refused where the membership or the session has ended", async () => {
    for (const end of [remove, logOut]) {
      const { team, actor } = await teamOf("member", "member");
      await end(actor);
      const before = await rowsOf(db, team);
      expect(await leaveTeam(db, actor.scope)).toEqual(notAllowed);
      expect(await rowsOf(db, team)).toEqual(before);
    }
  });
});

describe("removeMember", () => {
  it.each(pairs)("by a %s of a %s: as roles.ts says", async (actorRole, targetRole) => {
    const { team, actor, target } = await teamOf(actorRole, targetRole);
    await insertInvitation(db, team, target.user);
    await insertTeamKey(db, team, target.user);
    const before = await rowsOf(db, team);
    const removed = await removeMember(db, actor.scope, target.user.id);
    if (!can(actorRole, "remove", { target: targetRole })) {
      expect(removed).toEqual(notAllowed);
      return expect(await rowsOf(db, team)).toEqual(before);
    }
    expect(removed).toEqual({ ok: true });
    expect(await rolesIn(db, team)).not.toHaveProperty(target.user.id);
    expect(await invitationsOf(team)).toEqual([]);
    expect(await keysOf(team)).toEqual([]);
  });

  it("revokes the keys that the member made in this team, except those to keep", async () => {
    const { team, owner } = await createOwnedTeam(db);
    const member = await addMember(db, team, "admin");
    const other = await createOwnedTeam(db);
    const revoked = await insertTeamKey(db, team, member.user);
    const kept = [
      await insertTeamKey(db, team, member.user),
      await insertTeamKey(db, team, owner.user),
      await insertTeamKey(db, other.team, member.user),
    ].map(({ id }) => id);
    const ids = [kept[0] ?? "", unknownId];
    expect(await removeMember(db, owner.scope, member.user.id, ids)).toEqual({ ok: true });
    const left = [...(await keysOf(team)), ...(await keysOf(other.team))].map(({ id }) => id);
    expect(left.sort()).toEqual(kept.sort());
    const by = { user: owner.user.id, actor: null, session: owner.session.id };
    const events = await eventsOf(team);
    expect(events).toHaveLength(2);
    expect(events).toContainEqual({
      ...{ kind: "team-key-revoked", ...by },
      detail: { key: revoked.id, prefix: "lk_team_0000" },
    });
    expect(events).toContainEqual({
      ...{ kind: "team-member-removed", user: member.user.id, actor: owner.user.id, session: null },
      detail: { invitations: 0, keys: 1 },
    });
  });

  it("tells the member by a mail, and leaves their other teams alone", async () => {
    const { team, owner } = await createOwnedTeam(db, { name: "Acme" });
    const member = await addMember(db, team, "member");
    const other = await createOwnedTeam(db);
    await sql`insert into members (team_id, user_id, role)
      values (${other.team.id}, ${member.user.id}, 'member')`;
    await insertInvitation(db, other.team, member.user);
    const before = await rowsOf(db, other.team);
    await removeMember(db, owner.scope, member.user.id);
    expect(await rowsOf(db, other.team)).toEqual(before);
    expect(await jobRows(member.user)).toMatchObject([
      { task: "team-mail", payload: { mail: "removed-from-team", team: "Acme" } },
    ]);
  });

  it("removes no member of another team, no unknown id, and not oneself", async () => {
    const [{ team, owner }, other] = [await createOwnedTeam(db), await createOwnedTeam(db)];
    await addMember(db, team, "owner");
    const before = [await rowsOf(db, team), await rowsOf(db, other.team)];
    for (const id of [other.owner.user.id, unknownId])
      expect(await removeMember(db, owner.scope, id)).toEqual({ ok: false, reason: "gone" });
    expect(await removeMember(db, owner.scope, owner.user.id)).toEqual(notAllowed);
    expect([await rowsOf(db, team), await rowsOf(db, other.team)]).toEqual(before);
  });

  it("is refused where the actor's role, membership or session has ended", async () => {
    for (const end of [demote, remove, logOut]) {
      const { team, actor, target } = await teamOf("admin", "member");
      await end(actor);
      const before = await rowsOf(db, team);
      expect(await removeMember(db, actor.scope, target.user.id)).toEqual(notAllowed);
      expect(await rowsOf(db, team)).toEqual(before);
    }
  });

  it("is refused to a session that belongs to no member", async () => {
    const { team, actor, target } = await teamOf("admin", "member");
    const { session } = await createLogin(db, await createUser(db));
    const scope = { ...actor.scope, session };
    expect(await removeMember(db, scope, target.user.id)).toEqual(notAllowed);
    expect(await rolesIn(db, team)).toHaveProperty(target.user.id);
  });
});

async function demote({ user }: TestMember): Promise<void> {
  await sql`update members set role = 'member' where user_id = ${user.id}`;
}

async function remove({ user }: TestMember): Promise<void> {
  await sql`delete from members where user_id = ${user.id}`;
}

async function logOut({ session }: TestMember): Promise<void> {
  await invalidateSession(db, session, session.id);
}
