import { sql as query } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { stillMay } from "@/lib/teams/rights";
import { can, type TeamAction, teamRoles } from "@/lib/teams/roles";
import type { TeamScope } from "@/lib/teams/scope";
import { db, sql } from "@/tests/support/database";
import { addMember, asApiKey, createOwnedTeam } from "@/tests/support/teams";

async function may(scope: TeamScope, action: TeamAction): Promise<unknown> {
  const [row] = await db.execute(query`select ${stillMay(scope, action)} as may`);
  return row?.may;
}

const actions = ["leave", "rename", "delete"] as const;

describe("stillMay", () => {
  it("checks the current role, whatever the scope says", async () => {
    const { team } = await createOwnedTeam(db);
    const { scope, user } = await addMember(db, team, "admin");
    for (const role of teamRoles) {
      await sql`update members set role = ${role} where user_id = ${user.id}`;
      for (const action of actions) expect(await may(scope, action)).toBe(can(role, action));
    }
  });

  it("refuses everything to a former member, even if a member of another team", async () => {
    const [{ team }, other] = [await createOwnedTeam(db), await createOwnedTeam(db)];
    const { scope, user } = await addMember(db, team, "admin");
    await sql`delete from members where team_id = ${team.id} and user_id = ${user.id}`;
    await sql`insert into members (team_id, user_id, role) values (${other.team.id}, ${user.id}, 'admin')`;
    for (const action of actions) expect(await may(scope, action)).toBe(false);
  });

  it("gives an API key of the team the rights of a member", async () => {
    const { owner } = await createOwnedTeam(db);
    for (const action of actions)
      expect(await may(asApiKey(owner.scope), action)).toBe(can("member", action));
  });
});
