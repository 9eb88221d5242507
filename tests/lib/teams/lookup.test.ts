import { describe, expect, it } from "vitest";
import { invalidateSession } from "@/lib/auth/sessions/end";
import { getTeamSession, isHandle } from "@/lib/teams/lookup";
import { teamPolicy } from "@/lib/teams/policy";
import { countedConnection, db, sql } from "@/tests/support/database";
import { addMember, createOwnedTeam, createTestTeam } from "@/tests/support/teams";
import { createLogin, createUser } from "@/tests/support/users";

describe("getTeamSession", () => {
  it("finds session, team, role and switcher in one statement", async () => {
    const { team, owner } = await createOwnedTeam(db, { name: "Zebra" });
    const other = await createTestTeam(db, { owner: [owner.user] }, { name: "apple" });
    const counted = await countedConnection();
    const found = await getTeamSession(counted.db, owner.token, team.handle);
    expect(counted.take()).toEqual(["select"]);
    expect(found).toMatchObject({
      ...owner.session,
      team: { ...team, role: "owner", plan: "pro", requiresStrong: false },
      teams: [other, team].map(({ handle, name }) => ({ handle, name })),
    });
  });

  it("always lists the team of the URL in the switcher, even of a user with more teams than it lists", async () => {
    const user = await createUser(db);
    const names = [..."abcdefghijklmnopqrstuvwxyz"].slice(0, teamPolicy.switcher + 2);
    for (const name of names) await createTestTeam(db, { member: [user] }, { name });
    const last = await createTestTeam(db, { member: [user] }, { name: "z" });
    const { token } = await createLogin(db, user);
    const found = await getTeamSession(db, token, last.handle);
    expect(found?.team?.name).toBe("z");
    expect(found?.teams.map(({ name }) => name)).toEqual([
      ...names.slice(0, teamPolicy.switcher - 1),
      "z",
    ]);
  });

  it("finds no team for an unknown handle, nor for another user's team", async () => {
    const [{ team }, { owner }] = [await createOwnedTeam(db), await createOwnedTeam(db)];
    for (const handle of [team.handle, "0000000000"])
      expect(await getTeamSession(db, owner.token, handle)).toMatchObject({ team: null });
  });

  it("finds no team at the next request after a removal", async () => {
    const { team } = await createOwnedTeam(db);
    const member = await addMember(db, team, "member");
    expect((await getTeamSession(db, member.token, team.handle))?.team?.role).toBe("member");
    await sql`delete from members where team_id = ${team.id} and user_id = ${member.user.id}`;
    expect(await getTeamSession(db, member.token, team.handle)).toMatchObject({
      ...{ team: null, teams: [] },
    });
  });

  it("finds nothing for an ended session, and runs no query for a malformed token", async () => {
    const { team, owner } = await createOwnedTeam(db);
    await invalidateSession(db, owner.session, owner.session.id);
    expect(await getTeamSession(db, owner.token, team.handle)).toBeNull();
    const counted = await countedConnection();
    expect(await getTeamSession(counted.db, "x", team.handle)).toBeNull();
    expect(counted.take()).toEqual([]);
  });

  it("lists no teams for a user in none", async () => {
    const { token } = await createLogin(db, await createUser(db));
    expect(await getTeamSession(db, token, "0000000000")).toMatchObject({ team: null, teams: [] });
  });
});

describe("isHandle", () => {
  it("accepts only ten lowercase letters and digits", () => {
    expect(isHandle("abcde01234")).toBe(true);
    for (const value of ["", "ABCDE01234", "abcde0123", "abcde012345", "abcde/1234", null, 1])
      expect(isHandle(value)).toBe(false);
  });
});
