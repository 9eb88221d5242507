import { sql as query } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { deleteAccount } from "@/lib/auth/account/deletion";
import type { Db } from "@/lib/db/client";
import { listMemberships, settleTeams } from "@/lib/teams/account-end";
import { db, sql } from "@/tests/support/database";
import { collide } from "@/tests/support/races";
import { userRow } from "@/tests/support/rows";
import {
  addMember,
  createOwnedTeam,
  createTestTeam,
  rolesIn,
  type TestTeam,
} from "@/tests/support/teams";
import { createLogin, createUser } from "@/tests/support/users";

const lockTeam = (team: TestTeam) => (tx: Db) =>
  tx.execute(query`select from teams where id = ${team.id} for no key update`);

const needed = (...teams: string[]) => ({ ok: false, reason: "needed-by-teams", teams });

describe("the deletion of an account", () => {
  it("is refused to the only owner of other members' teams, with their names, and changes nothing", async () => {
    const { team, owner } = await createOwnedTeam(db, { name: "Beta" });
    const member = await createUser(db);
    const other = await createTestTeam(
      db,
      { owner: [owner.user], member: [member] },
      { name: "alpha" },
    );
    const alone = await createTestTeam(db, { owner: [owner.user] }, { name: "Alone" });
    await addMember(db, team, "admin");
    expect(await deleteAccount(db, owner.session, settleTeams)).toEqual(needed("alpha", "Beta"));
    expect(await userRow(owner.user)).toBeDefined();
    for (const each of [team, other, alone])
      expect((await rolesIn(db, each))[owner.user.id]).toBe("owner");
  });

  it("deletes the teams in which the user is alone, and leaves the others", async () => {
    const { team, owner } = await createOwnedTeam(db);
    const alone = await createTestTeam(db, { owner: [owner.user] });
    const second = await addMember(db, team, "owner");
    expect(await deleteAccount(db, owner.session, settleTeams)).toEqual({ ok: true });
    expect(await sql`select from teams where id = ${alone.id}`).toHaveLength(0);
    expect(await rolesIn(db, team)).toEqual({ [second.user.id]: "owner" });
    expect(
      await sql`select kind, user_id, ip from audit_events where team_id = ${team.id}`,
    ).toEqual([{ kind: "team-left", user_id: null, ip: null }]);
  });

  it("does not count an owner who is suspended", async () => {
    const { team, owner } = await createOwnedTeam(db, { name: "Acme" });
    const second = await addMember(db, team, "owner");
    await sql`update users set status = 'suspended', suspension_reason = 'Test.'
      where id = ${second.user.id}`;
    expect(await deleteAccount(db, owner.session, settleTeams)).toEqual(needed("Acme"));
  });

  it("is refused while a team to delete with it requires more than the session has proved", async () => {
    const { team, owner } = await createOwnedTeam(db, { name: "Acme" });
    await sql`update teams set requires_strong = true where id = ${team.id}`;
    const weak = { ...owner.session, strong: false };
    const refused = { ok: false, reason: "guarded-teams", teams: ["Acme"] };
    expect(await deleteAccount(db, weak, settleTeams)).toEqual(refused);
    expect(await rolesIn(db, team)).toEqual({ [owner.user.id]: "owner" });
    const strong = { ...owner.session, strong: true };
    expect(await deleteAccount(db, strong, settleTeams)).toEqual({ ok: true });
    expect(await sql`select from teams where id = ${team.id}`).toHaveLength(0);
  });

  it("deletes the invitations that the user sent, and leaves the keys they made", async () => {
    const { team, owner } = await createOwnedTeam(db);
    await addMember(db, team, "owner");
    await sql`insert into invitations (team_id, email, role, invited_by, expires_at)
      values (${team.id}, 'new@example.com', 'member', ${owner.user.id}, now() + interval '1 day')`;
    await sql`insert into team_keys (team_id, created_by, name, prefix, key_hash, scopes)
      values (${team.id}, ${owner.user.id}, 'CI', 'lk_team_0000', sha256('x'), '{projects:read}')`;
    expect(await deleteAccount(db, owner.session, settleTeams)).toEqual({ ok: true });
    expect(await sql`select from invitations where team_id = ${team.id}`).toHaveLength(0);
    expect(await sql`select created_by from team_keys where team_id = ${team.id}`).toEqual([
      { created_by: null },
    ]);
  });

  // Without the team's lock, each owner finds the other, and only the trigger refuses.
  it("keeps one of two owners who delete their accounts at once", async () => {
    const { team, owner } = await createOwnedTeam(db, { name: "Acme" });
    const second = await addMember(db, team, "owner");
    await addMember(db, team, "member");
    const sessions = [owner.session, second.session];
    const answers = await collide(2, lockTeam(team), (own, index) => {
      const session = sessions[index];
      if (!session) throw new Error("There are two.");
      return deleteAccount(own, session, settleTeams);
    });
    expect(answers).toContainEqual({ ok: true });
    expect(answers).toContainEqual(needed("Acme"));
    expect(Object.values(await rolesIn(db, team)).sort()).toEqual(["member", "owner"]);
  });

  it("is refused by the database if it would leave a team without an owner", async () => {
    const { team, owner } = await createOwnedTeam(db);
    await addMember(db, team, "member");
    await expect(deleteAccount(db, owner.session)).rejects.toThrow();
    await expect(sql`delete from users where id = ${owner.user.id}`).rejects.toMatchObject({
      ...{ code: "23514", constraint_name: "team_keeps_an_owner" },
    });
    expect((await rolesIn(db, team))[owner.user.id]).toBe("owner");
  });
});

describe("listMemberships", () => {
  it("has the user's teams and roles, and no other's", async () => {
    const { team, owner } = await createOwnedTeam(db, { name: "Acme" });
    await createOwnedTeam(db);
    const { handle } = team;
    expect(await listMemberships(db, owner.session)).toEqual([
      { team: "Acme", handle, role: "owner", joinedAt: expect.any(Date) },
    ]);
    const { session } = await createLogin(db, await createUser(db));
    expect(await listMemberships(db, session)).toEqual([]);
  });
});
