import { sql as query } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { invalidateAllUserSessions, invalidateSession } from "@/lib/auth/sessions/end";
import type { Db } from "@/lib/db/client";
import { teamPolicy } from "@/lib/teams/policy";
import type { TeamRole } from "@/lib/teams/roles";
import {
  createTeam,
  findHomeTeam,
  listTeams,
  renameTeam,
  requireStrongMembers,
} from "@/lib/teams/teams";
import { db, sql } from "@/tests/support/database";
import { collide } from "@/tests/support/races";
import { eventKinds } from "@/tests/support/rows";
import { addMember, createOwnedTeam, createTestTeam, logInTo, rowsOf } from "@/tests/support/teams";
import { createLogin, createUser, type TestUser } from "@/tests/support/users";

const lockUser = (user: TestUser) => (tx: Db) =>
  tx.execute(query`select from users where id = ${user.id} for update`);

describe("createTeam", () => {
  it("makes its user the owner, and says so in the audit log", async () => {
    const user = await createUser(db);
    const { session } = await createLogin(db, user);
    const created = await createTeam(db, session, "Acme");
    expect(created).toEqual({ ok: true, handle: expect.stringMatching(/^[a-z0-9]{10}$/) });
    expect(await listTeams(db, session)).toMatchObject([
      { name: "Acme", role: "owner", members: 1 },
    ]);
    expect(await eventKinds(user)).toContain("team-created");
  });

  it("makes none for a session that has ended", async () => {
    const user = await createUser(db);
    const { session } = await createLogin(db, user);
    await invalidateSession(db, session, session.id);
    expect(await createTeam(db, session, "Acme")).toEqual({ ok: false, reason: "session-ended" });
    expect(await listTeams(db, session)).toEqual([]);
  });

  it("makes none if the session is ended while it waits", async () => {
    const user = await createUser(db);
    const { session } = await createLogin(db, user);
    const [created] = await collide(
      1,
      (tx) => invalidateAllUserSessions(tx, user.id),
      (own) => createTeam(own, session, "Acme"),
    );
    expect(created).toEqual({ ok: false, reason: "session-ended" });
    expect(await listTeams(db, { userId: user.id })).toEqual([]);
  });

  // A naive variant: the statement that waits for the user's lock reads the session of before.
  it("would make one if the session were checked in the statement that locks", async () => {
    const user = await createUser(db);
    const { session } = await createLogin(db, user);
    const [found] = await collide(
      1,
      (tx) => invalidateAllUserSessions(tx, user.id),
      (own) =>
        own.execute(query`
          select users.id from users join sessions on sessions.user_id = users.id
          where users.id = ${user.id} and sessions.id = ${session.id} for no key update of users`),
    );
    expect(found).toHaveLength(1);
  });

  // Without the user's lock, each call counts the teams before the others insert: all 5 are made.
  it(`lets no user own more than ${teamPolicy.ownedTeams}, even by parallel calls`, async () => {
    const user = await createUser(db);
    const { session } = await createLogin(db, user);
    for (let i = 1; i < teamPolicy.ownedTeams; i++) await createTestTeam(db, { owner: [user] });
    const made = await collide(5, lockUser(user), (own) => createTeam(own, session, "One more"));
    expect(made.filter(({ ok }) => ok)).toHaveLength(1);
    expect(await listTeams(db, session)).toHaveLength(teamPolicy.ownedTeams);
  });
});

describe("renameTeam", () => {
  it("is allowed to current owners and admins only", async () => {
    const { team, owner } = await createOwnedTeam(db);
    const [admin, member] = [
      await addMember(db, team, "admin"),
      await addMember(db, team, "member"),
    ];
    expect(await renameTeam(db, owner.scope, "One")).toEqual({ ok: true });
    expect(await renameTeam(db, admin.scope, "Two")).toEqual({ ok: true });
    const refused = { ok: false, reason: "not-allowed" };
    expect(await renameTeam(db, member.scope, "Three")).toEqual(refused);
    await sql`update members set role = 'member' where user_id = ${admin.user.id}`;
    expect(await renameTeam(db, admin.scope, "Three")).toEqual(refused);
    await sql`delete from members where user_id = ${admin.user.id}`;
    expect(await renameTeam(db, admin.scope, "Three")).toEqual(refused);
    expect(await sql`select name from teams where id = ${team.id}`).toEqual([{ name: "Two" }]);
  });
});

describe("requireStrongMembers", () => {
  const strong = { amr: ["pwd", "otp"] };

  it("needs an owner who has more than a password, and records it in the audit log", async () => {
    const { team, owner } = await createOwnedTeam(db);
    const before = await rowsOf(db, team);
    expect(await requireStrongMembers(db, owner.scope, true)).toEqual({
      ...{ ok: false, reason: "not-strong" },
    });
    expect(await rowsOf(db, team)).toEqual(before);
    const { scope } = await logInTo(db, team, owner.user, strong);
    for (const required of [true, true, false]) {
      expect(await requireStrongMembers(db, scope, required)).toEqual({ ok: true });
      expect((await logInTo(db, team, owner.user)).scope.requiresStrong).toBe(required);
    }
    const kinds = (await eventKinds(owner.user)).filter((kind) => kind.startsWith("team-"));
    expect(kinds).toEqual(["team-strong-required", "team-strong-optional"]);
  });

  it.each(["admin", "member"] satisfies TeamRole[])("is refused to a %s", async (role) => {
    const { team } = await createOwnedTeam(db, { requiresStrong: true });
    const { user } = await addMember(db, team, role);
    const { scope } = await logInTo(db, team, user, strong);
    const before = await rowsOf(db, team);
    for (const required of [true, false])
      expect(await requireStrongMembers(db, scope, required)).toEqual({
        ...{ ok: false, reason: "not-allowed" },
      });
    expect(await rowsOf(db, team)).toEqual(before);
  });
});

describe("findHomeTeam", () => {
  it("is the team that was open last, while its user is a member", async () => {
    const { team, owner } = await createOwnedTeam(db, { name: "B" });
    const first = await createTestTeam(db, { owner: [owner.user] }, { name: "A" });
    const remembering = (lastTeam?: string) => ({ ...owner.session, data: { lastTeam } });
    expect(await findHomeTeam(db, remembering(team.handle))).toBe(team.handle);
    expect(await findHomeTeam(db, remembering("0000000000"))).toBe(first.handle);
    expect(await findHomeTeam(db, remembering())).toBe(first.handle);
    const { session } = await createLogin(db, await createUser(db));
    expect(await findHomeTeam(db, session)).toBeNull();
  });

  it("is one that the session may open, if there is one", async () => {
    const { team, owner } = await createOwnedTeam(db, { name: "A" });
    const open = await createTestTeam(db, { owner: [owner.user] }, { name: "B" });
    await sql`update teams set requires_strong = true where id = ${team.id}`;
    const remembering = { ...owner.session, data: { lastTeam: team.handle } };
    expect(await findHomeTeam(db, { ...remembering, strong: true })).toBe(team.handle);
    expect(await findHomeTeam(db, { ...remembering, strong: false })).toBe(open.handle);
    await sql`delete from teams where id = ${open.id}`;
    expect(await findHomeTeam(db, { ...remembering, strong: false })).toBe(team.handle);
  });
});
