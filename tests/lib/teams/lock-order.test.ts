import { randomUUID } from "node:crypto";
import { sql as query } from "drizzle-orm";
import { afterAll, describe, expect, it } from "vitest";
import { operator, reinstate, suspend } from "@/lib/admin/actions";
import { unknownClient } from "@/lib/audit";
import { deleteAccount } from "@/lib/auth/account/deletion";
import { redeemDisownLink } from "@/lib/auth/account/disowned-login";
import { createLink } from "@/lib/auth/links";
import { createSession } from "@/lib/auth/sessions/create";
import { invalidateAllUserSessions } from "@/lib/auth/sessions/end";
import type { Db } from "@/lib/db/client";
import { members } from "@/lib/db/schema/members";
import { addNote } from "@/lib/projects/notes";
import { createProject, deleteProject } from "@/lib/projects/projects";
import { settleTeams } from "@/lib/teams/account-end";
import { makeOwner } from "@/lib/teams/administration";
import { deleteTeam } from "@/lib/teams/deletion";
import { invite, revokeInvitation, sendInvitationAgain } from "@/lib/teams/invitations";
import { acceptInvitation, declineInvitation } from "@/lib/teams/joining";
import { createTeamKey, revokeTeamKey } from "@/lib/teams/keys";
import { renderTeamMail } from "@/lib/teams/mails/jobs";
import { changeMemberRole, leaveTeam, removeMember, transferOwnership } from "@/lib/teams/members";
import { renameTeam, requireStrongMembers } from "@/lib/teams/teams";
import { db, racingConnections, sql } from "@/tests/support/database";
import { addMember, createOwnedTeam, type TestMember, type TestTeam } from "@/tests/support/teams";
import { createLogin, createUser, type TestUser } from "@/tests/support/users";

/*
 * Functions that change a team or one of its users, called at the same moment for one team: none
 * may end in a deadlock, and every team keeps an owner. The lock order is users by id, teams by id,
 * then members, invitations and keys. The last test shows the deadlock that occurs if the team is
 * locked before its users.
 *
 * @module-tag thorough
 */

const rounds = 40;

/** A team with two owners and three others, all logged in, and an invitation from each of them. */
type World = {
  team: TestTeam;
  owner: TestMember;
  second: TestMember;
  admin: TestMember;
  member: TestMember;
  /** Not yet a member; `invitation` is for their email. */
  guest: { user: TestUser; session: TestMember["session"] };
  invitation: string;
  key: string;
  project: string;
  disown: string;
};

const calls: Record<string, (db: Db, world: World) => Promise<unknown>> = {
  changeRole: (db, { owner, admin }) => changeMemberRole(db, owner.scope, admin.user.id, "member"),
  demoteOwner: (db, { second, owner }) =>
    changeMemberRole(db, second.scope, owner.user.id, "admin"),
  transfer: (db, { owner, member }) => transferOwnership(db, owner.scope, member.user.id),
  leave: (db, { second }) => leaveTeam(db, second.scope),
  remove: (db, { owner, admin }) => removeMember(db, owner.scope, admin.user.id),
  removeOther: (db, { admin, member }) => removeMember(db, admin.scope, member.user.id),
  invite: (db, { admin }) =>
    invite(db, admin.scope, { email: `${randomUUID()}@example.com`, role: "member" }),
  sendAgain: (db, { owner, invitation }) => sendInvitationAgain(db, owner.scope, invitation),
  revokeInvitation: (db, { second, invitation }) => revokeInvitation(db, second.scope, invitation),
  accept: (db, { guest, invitation }) => acceptInvitation(db, guest.session, { id: invitation }),
  decline: (db, { guest, invitation }) => declineInvitation(db, guest.session, invitation),
  createKey: (db, { admin }) =>
    createTeamKey(db, admin.scope, { name: "Key", scopes: ["projects:read"], lifetime: 30 }),
  revokeKey: (db, { owner, key }) => revokeTeamKey(db, owner.scope, key),
  rename: (db, { admin }) => renameTeam(db, admin.scope, randomUUID()),
  requireStrong: (db, { owner }) => requireStrongMembers(db, owner.scope, false),
  deleteTeam: (db, { second }) => deleteTeam(db, second.scope),
  deleteAccount: (db, { second }) => deleteAccount(db, second.session, settleTeams),
  deleteGuest: (db, { guest }) => deleteAccount(db, guest.session, settleTeams),
  suspend: (db, { admin }) => suspend(db, operator, admin.user.id, "Test."),
  reinstate: (db, { admin }) => reinstate(db, operator, admin.user.id),
  makeOwner: (db, { team, member }) => makeOwner(db, operator, team.id, member.user.id),
  disown: (db, { disown }) => redeemDisownLink(db, disown, unknownClient),
  logOut: (db, { member }) => invalidateAllUserSessions(db, member.user.id),
  logIn: (db, { owner }) =>
    createSession(db, {
      ...{ userId: owner.user.id, authVersion: 1, amr: ["pwd"], persistent: true },
      ...{ presented: owner.token, client: unknownClient },
    }),
  renderMail: (db, { team, guest, invitation }) =>
    renderTeamMail(
      db,
      { mail: "invitation", to: guest.user.email, teamId: team.id, invitation },
      "https://app.example.com",
    ),
  createProject: (db, { member }) => createProject(db, member.scope, "Project"),
  deleteProject: (db, { owner, project }) => deleteProject(db, owner.scope, project),
  addNote: (db, { admin, project }) => addNote(db, admin.scope, project, "Note"),
};

const names = Object.keys(calls);
const racing = racingConnections(names.length);
afterAll(() => racing.sql.end());

async function createWorld(): Promise<World> {
  const { team, owner } = await createOwnedTeam(db);
  const [second, admin, member] = [
    await addMember(db, team, "owner"),
    await addMember(db, team, "admin"),
    await addMember(db, team, "member"),
  ];
  const user = await createUser(db);
  const guest = { user, session: (await createLogin(db, user)).session };
  const [row] = await sql<{ invitation: string; key: string; project: string }[]>`
    with invited as (
      insert into invitations (team_id, email, role, invited_by, expires_at)
      values (${team.id}, ${user.email}, 'member', ${admin.user.id}, now() + interval '1 day')
      returning id),
    keyed as (
      insert into team_keys (team_id, created_by, name, prefix, key_hash, scopes)
      values (${team.id}, ${admin.user.id}, 'Key', 'lk_team_0000',
        sha256(gen_random_uuid()::text::bytea), '{projects:read}') returning id),
    made as (
      insert into projects (team_id, name, created_by) values (${team.id}, 'Project', ${owner.user.id})
      returning id)
    select (select id from invited) as invitation, (select id from keyed) as key,
      (select id from made) as project`;
  if (!row) throw new Error("createWorld: the insert returned no row.");
  const link = { userId: admin.user.id, purpose: "not-me", sentTo: admin.user.email } as const;
  return { team, owner, second, admin, member, guest, ...row, disown: await createLink(db, link) };
}

/** Runs all calls at once, each on its own connection. Returns those that ended in a deadlock. */
async function race(some: typeof calls): Promise<string[]> {
  const world = await createWorld();
  const deadlocks: string[] = [];
  await Promise.all(
    Object.entries(some).map(([name, call]) =>
      call(racing.db, world).catch((error) => {
        if (codeOf(error) !== "40P01") throw error;
        deadlocks.push(name);
      }),
    ),
  );
  return deadlocks;
}

function codeOf(error: unknown): unknown {
  const cause = error instanceof Error ? (error.cause ?? error) : undefined;
  return typeof cause === "object" && cause !== null && "code" in cause ? cause.code : undefined;
}

/** Calls that end the team or the account: in every fourth round, or little else would happen. */
const final = ["deleteTeam", "deleteAccount", "deleteGuest"];

describe("functions that change a team", () => {
  it(`${names.length} at the same moment never deadlock, and leave every team an owner`, async () => {
    for (let round = 0; round < rounds; round++) {
      const taken = names.filter((name) => round % 4 === 0 || !final.includes(name));
      // The order changes each round, because the first to start has an advantage.
      const shift = round % taken.length;
      const order = [...taken.slice(shift), ...taken.slice(0, shift)];
      const some = Object.fromEntries(order.map((name) => [name, calls[name] ?? (async () => {})]));
      expect(await race(some)).toEqual([]);
    }
    const orphans = await sql`
      select from teams where not exists (
        select from members where team_id = teams.id and role = 'owner')`;
    expect(orphans).toHaveLength(0);
  });

  it("deadlock where one of them locks the team before its user", async () => {
    const backwards = (own: Db, { team, second }: World) =>
      own.transaction(async (tx) => {
        await tx.execute(query`select from teams where id = ${team.id} for no key update`);
        await tx.execute(query`select from users where id = ${second.user.id} for no key update`);
        await tx.execute(query`select from ${members} where ${members.teamId} = ${team.id}`);
      });
    const { leave, deleteAccount } = calls;
    let found = 0;
    for (let round = 0; round < rounds && found === 0; round++) {
      const some = { a: backwards, b: backwards, leave, deleteAccount, c: backwards, d: backwards };
      found += (await race(some as typeof calls)).length;
    }
    expect(found).toBeGreaterThan(0);
  });
});
