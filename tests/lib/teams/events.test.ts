import { describe, expect, it } from "vitest";
import { deleteAccount } from "@/lib/auth/account/deletion";
import { makeOwner } from "@/lib/teams/administration";
import { listTeamEvents } from "@/lib/teams/events";
import { changeMemberRole, leaveTeam, removeMember } from "@/lib/teams/members";
import { renameTeam } from "@/lib/teams/teams";
import { db, sql } from "@/tests/support/database";
import { addMember, createOwnedTeam, insertTeamKey } from "@/tests/support/teams";
import { createLogin, createUser } from "@/tests/support/users";

const all = { limit: 100 };

describe("listTeamEvents", () => {
  it("names act, actor and member, the newest first", async () => {
    const { team, owner } = await createOwnedTeam(db);
    const [admin, member] = [
      await addMember(db, team, "admin"),
      await addMember(db, team, "member"),
    ];
    await insertTeamKey(db, team, member.user);
    await renameTeam(db, admin.scope, "Another Name");
    await changeMemberRole(db, owner.scope, admin.user.id, "owner");
    await removeMember(db, owner.scope, member.user.id);
    const [one, two, ...events] = await listTeamEvents(db, owner.scope, all);
    const named = (user: { name: string; email: string }) => ({
      ...{ name: user.name, email: user.email },
    });
    const by = named(owner.user);
    const former = { name: member.user.name, email: null };
    expect([one, two]).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ kind: "team-member-removed", user: former, actor: by }),
        expect.objectContaining({
          ...{ kind: "team-key-revoked", user: by, actor: null },
          about: { role: null, prefix: "lk_team_0000" },
        }),
      ]),
    );
    expect(events).toMatchObject([
      { kind: "team-role-changed", user: named(admin.user), actor: by, about: { role: "owner" } },
      { kind: "team-renamed", user: named(admin.user), actor: null },
    ]);
    expect(events[0]?.at).toBeInstanceOf(Date);
  });

  it("has no IP address, user agent or session", async () => {
    const { team, owner } = await createOwnedTeam(db);
    const client = { ip: "203.0.113.9", userAgent: "Secret Browser" };
    const scope = { ...owner.scope, actor: { ...owner.scope.actor, client } };
    await renameTeam(db, scope, "Another Name");
    expect(
      await sql`select from audit_events where team_id = ${team.id} and ip is not null`,
    ).toHaveLength(1);
    const text = JSON.stringify(await listTeamEvents(db, owner.scope, all));
    expect(text).toContain("team-renamed");
    for (const hidden of [client.ip, client.userAgent, owner.session.id])
      expect(text).not.toContain(hidden);
  });

  it("has no event of another team, nor of a member's account", async () => {
    const [{ owner }, other] = [await createOwnedTeam(db), await createOwnedTeam(db)];
    await renameTeam(db, other.owner.scope, "Another Name");
    expect(await sql`select from audit_events where user_id = ${owner.user.id}`).not.toEqual([]);
    expect(await listTeamEvents(db, owner.scope, all)).toEqual([]);
  });

  it("returns pages", async () => {
    const { owner } = await createOwnedTeam(db);
    for (const name of ["One", "Two", "Three"]) await renameTeam(db, owner.scope, name);
    const newest = await listTeamEvents(db, owner.scope, { limit: 2 });
    const before = newest.at(-1)?.id;
    const older = await listTeamEvents(db, owner.scope, { limit: 2, ...(before && { before }) });
    expect([newest.length, older.length]).toEqual([2, 1]);
    expect(older[0]?.id).toBeLessThan(Number(before));
  });

  it("does not name the administrator who made an owner", async () => {
    const { team, owner } = await createOwnedTeam(db);
    const member = await addMember(db, team, "member");
    const admin = await createUser(db, { role: "admin" });
    await sql`update users set status = 'suspended' where id = ${owner.user.id}`;
    await makeOwner(db, (await createLogin(db, admin)).session, team.id, member.user.id);
    const events = await listTeamEvents(db, member.scope, all);
    expect(events).toMatchObject([
      { kind: "team-owner-made", user: { email: member.user.email }, actor: "administrator" },
    ]);
    expect(JSON.stringify(events)).not.toContain(admin.email);
  });

  it("names no deleted user, and tells a deleted actor from the member", async () => {
    const { team, owner } = await createOwnedTeam(db);
    const [admin, member] = [
      await addMember(db, team, "admin"),
      await addMember(db, team, "member"),
    ];
    await changeMemberRole(db, admin.scope, member.user.id, "admin");
    await changeMemberRole(db, member.scope, member.user.id, "member");
    await leaveTeam(db, admin.scope);
    await deleteAccount(db, admin.session);
    const named = { name: member.user.name, email: member.user.email };
    expect(await listTeamEvents(db, owner.scope, all)).toMatchObject([
      { kind: "team-left", user: null, actor: null },
      { kind: "team-role-changed", user: named, actor: null, about: { role: "member" } },
      { kind: "team-role-changed", user: named, actor: "deleted", about: { role: "admin" } },
    ]);
  });
});
