import { describe, expect, it } from "vitest";
import { findTeamOfUser } from "@/lib/teams/bearer";
import { countedConnection, db, sql } from "@/tests/support/database";
import { addMember, createOwnedTeam } from "@/tests/support/teams";

describe("findTeamOfUser", () => {
  it("finds the team and the current role, in one statement", async () => {
    const { team } = await createOwnedTeam(db, { requiresStrong: true });
    const { user } = await addMember(db, team, "admin");
    const counted = await countedConnection();
    const found = { ...team, plan: "pro", requiresStrong: true };
    expect(await findTeamOfUser(counted.db, user.id, team.handle)).toEqual({
      ...{ ...found, role: "admin" },
    });
    expect(counted.take()).toEqual(["select"]);
    await sql`update members set role = 'member' where user_id = ${user.id}`;
    expect((await findTeamOfUser(db, user.id, team.handle))?.role).toBe("member");
    await sql`delete from members where user_id = ${user.id}`;
    expect(await findTeamOfUser(db, user.id, team.handle)).toBeNull();
  });

  it("finds no other user's team, and runs no query for a malformed handle", async () => {
    const [a, b] = [await createOwnedTeam(db), await createOwnedTeam(db)];
    expect(await findTeamOfUser(db, a.owner.user.id, b.team.handle)).toBeNull();
    expect(await findTeamOfUser(db, a.owner.user.id, "0000000000")).toBeNull();
    const counted = await countedConnection();
    for (const wrong of ["", b.team.handle.toUpperCase(), `${a.team.handle} `, a.team.id])
      expect(await findTeamOfUser(counted.db, a.owner.user.id, wrong)).toBeNull();
    expect(counted.take()).toEqual([]);
  });
});
