import { describe, expect, it } from "vitest";
import { exportTeam } from "@/lib/teams/export";
import { leaveTeam } from "@/lib/teams/members";
import type { TeamRole } from "@/lib/teams/roles";
import { db, sql } from "@/tests/support/database";
import {
  addMember,
  createOwnedTeam,
  insertInvitation,
  insertTeamKey,
  rowsOf,
} from "@/tests/support/teams";

describe("exportTeam", () => {
  it("has the team, its members, open invitations and keys", async () => {
    const { team, owner } = await createOwnedTeam(db, { name: "Acme" });
    const admin = await addMember(db, team, "admin");
    const { email } = await insertInvitation(db, team, admin.user);
    await insertTeamKey(db, team, admin.user, "Deployment");
    const exported = await exportTeam(db, owner.scope);
    expect(exported).toMatchObject({
      ok: true,
      data: {
        team: { handle: team.handle, name: "Acme", requiresStrong: false },
        members: [
          { email: owner.user.email, role: "owner", joinedAt: expect.any(Date) },
          { email: admin.user.email, role: "admin" },
        ],
        invitations: [{ email, role: "member", invitedBy: admin.user.email }],
        apiKeys: [{ name: "Deployment", createdBy: admin.user.email, scopes: ["projects:read"] }],
      },
    });
  });

  it("leaves an audit event of the team", async () => {
    const { team, owner } = await createOwnedTeam(db);
    await exportTeam(db, owner.scope);
    expect(
      await sql`select kind, user_id, session_id from audit_events where team_id = ${team.id}`,
    ).toEqual([
      { kind: "team-data-exported", user_id: owner.user.id, session_id: owner.session.id },
    ]);
  });

  it("has no hash, no token and no user's id, under any name", async () => {
    const { team, owner } = await createOwnedTeam(db);
    await insertInvitation(db, team, owner.user);
    await sql`update invitations set token_hash = sha256('secret') where team_id = ${team.id}`;
    await insertTeamKey(db, team, owner.user);
    const text = JSON.stringify(await exportTeam(db, owner.scope));
    const hashes = await sql<{ hash: Buffer }[]>`
      select token_hash as hash from invitations where team_id = ${team.id}
      union all select key_hash from team_keys where team_id = ${team.id}`;
    expect(hashes).toHaveLength(2);
    for (const { hash } of hashes)
      for (const encoding of ["hex", "base64", "base64url"] as const)
        expect(text).not.toContain(hash.toString(encoding));
    expect(text).not.toMatch(/hash|token|secret/i);
    expect(text).not.toContain(owner.user.id);
  });

  it("has nothing of another team, and no email of a former member", async () => {
    const { team, owner } = await createOwnedTeam(db);
    const former = await addMember(db, team, "admin");
    await insertTeamKey(db, team, former.user);
    await leaveTeam(db, former.scope);
    const other = await createOwnedTeam(db, { name: "Other Team" });
    await insertInvitation(db, other.team, other.owner.user, { email: "invited@other.example" });
    await insertTeamKey(db, other.team, owner.user, "Other Key");
    const exported = await exportTeam(db, owner.scope);
    expect(exported).toMatchObject({ ok: true, data: { apiKeys: [{ createdBy: null }] } });
    const foreign = ["Other", "other.example", other.owner.user.email, former.user.email];
    for (const each of foreign) expect(JSON.stringify(exported)).not.toContain(each);
  });

  it.each(["admin", "member"] satisfies TeamRole[])("is refused to a %s", async (role) => {
    const { team } = await createOwnedTeam(db);
    const { scope } = await addMember(db, team, role);
    const before = await rowsOf(db, team);
    expect(await exportTeam(db, scope)).toEqual({ ok: false, reason: "not-allowed" });
    expect(await rowsOf(db, team)).toEqual(before);
  });

  it("is refused to an owner who was demoted meanwhile", async () => {
    const { team, owner } = await createOwnedTeam(db);
    await addMember(db, team, "owner");
    await sql`update members set role = 'admin' where user_id = ${owner.user.id}`;
    expect(await exportTeam(db, owner.scope)).toEqual({ ok: false, reason: "not-allowed" });
  });
});
