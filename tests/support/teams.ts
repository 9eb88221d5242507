import { randomBytes, randomUUID } from "node:crypto";
import { eq, sql } from "drizzle-orm";
import { hashToken, newToken } from "@/lib/auth/secrets";
import type { Session } from "@/lib/auth/sessions/lookup";
import type { Db } from "@/lib/db/client";
import { invitations } from "@/lib/db/schema/invitations";
import { members } from "@/lib/db/schema/members";
import { teamKeys } from "@/lib/db/schema/team-keys";
import { teams } from "@/lib/db/schema/teams";
import { getTeamSession } from "@/lib/teams/lookup";
import type { TeamRole } from "@/lib/teams/roles";
import { createMemberScope, type MemberScope, type TeamScope } from "@/lib/teams/scope";
import { createLogin, createUser, type TestUser } from "./users";

/* Teams for tests, inserted without the code under test. */

export type TestTeam = { id: string; handle: string; name: string };

/**
 * Creates a team of these users, at least one of them an owner. As a gift it has the plan "pro",
 * with or without billing.
 */
export async function createTestTeam(
  db: Db,
  roles: Partial<Record<TeamRole, TestUser[]>>,
  {
    name = "Test Team",
    requiresStrong = false,
    gift = true,
  }: { name?: string; requiresStrong?: boolean; gift?: boolean } = {},
): Promise<TestTeam> {
  return db.transaction(async (tx) => {
    const [team] = await tx
      .insert(teams)
      .values({
        ...{ handle: randomBytes(5).toString("hex"), name, requiresStrong },
        ...(gift && { compedPlan: "pro", compedUntil: sql`'infinity'` }),
      })
      .returning({ id: teams.id, handle: teams.handle, name: teams.name });
    if (!team) throw new Error("createTestTeam: the insert returned no row.");
    const rows = Object.entries(roles).flatMap(([role, users]) =>
      users.map(({ id }) => ({ teamId: team.id, userId: id, role: role as TeamRole })),
    );
    if (rows.length > 0) await tx.insert(members).values(rows);
    return team;
  });
}

export type TestMember = {
  user: TestUser;
  role: TeamRole;
  token: string;
  session: Session;
  scope: MemberScope;
};

/** Creates a logged-in user who is a member, with the scope that a guard would return. */
export async function addMember(db: Db, team: TestTeam, role: TeamRole): Promise<TestMember> {
  const user = await createUser(db);
  await db.insert(members).values({ teamId: team.id, userId: user.id, role });
  return { user, role, ...(await logInTo(db, team, user)) };
}

/** Creates a team with a logged-in owner. */
export async function createOwnedTeam(
  db: Db,
  given: { name?: string; requiresStrong?: boolean; gift?: boolean } = {},
): Promise<{ team: TestTeam; owner: TestMember }> {
  const user = await createUser(db);
  const team = await createTestTeam(db, { owner: [user] }, given);
  return { team, owner: { user, role: "owner", ...(await logInTo(db, team, user)) } };
}

/** Logs a member in and returns the scope that a guard would return. */
export async function logInTo(
  db: Db,
  team: TestTeam,
  user: TestUser,
  given: Parameters<typeof createLogin>[2] = {},
): Promise<{ token: string; session: Session; scope: MemberScope }> {
  const { token, session } = await createLogin(db, user, given);
  const found = (await getTeamSession(db, token, team.handle))?.team;
  if (!found) throw new Error("logInTo: this user is no member.");
  return { token, session, scope: createMemberScope(found, session) };
}

/** Returns the scope that the guard for the team's API keys would return. */
export function asApiKey(scope: TeamScope): TeamScope {
  return {
    ...scope,
    role: "member",
    actor: { id: null, userId: null, keyId: randomUUID(), client: scope.actor.client },
  };
}

/** Returns the roles of a team's members by user id. */
export async function rolesIn(db: Db, { id }: TestTeam): Promise<Record<string, TeamRole>> {
  const rows = await db.select().from(members).where(eq(members.teamId, id));
  return Object.fromEntries(rows.map(({ userId, role }) => [userId, role]));
}

/** Inserts a key of the team created by this user, with an unknown secret. */
export async function insertTeamKey(
  db: Db,
  { id: teamId }: TestTeam,
  by: { id: string },
  name = "Backup",
): Promise<{ id: string }> {
  const [row] = await db
    .insert(teamKeys)
    .values({
      ...{ teamId, createdBy: by.id, name, prefix: "lk_team_0000" },
      ...{ keyHash: randomBytes(32), scopes: ["projects:read"] },
    })
    .returning({ id: teamKeys.id });
  if (!row) throw new Error("insertTeamKey: the insert returned no row.");
  return row;
}

/** Returns every row of the team, to check that a refusal changed none. */
export async function rowsOf(db: Db, { id }: TestTeam): Promise<unknown> {
  const [row] = await db.execute(sql`select
    (select to_jsonb(t) from teams t where id = ${id}) as team,
    (select jsonb_agg(m order by user_id) from members m where team_id = ${id}) as members,
    (select jsonb_agg(i order by id) from invitations i where team_id = ${id}) as invitations,
    (select jsonb_agg(k order by id) from team_keys k where team_id = ${id}) as keys,
    (select jsonb_agg(e order by id) from audit_events e where team_id = ${id}) as events`);
  return row;
}

export type TestInvitation = { id: string; email: string; token: string };

/** Inserts an open invitation from this user, as if its mail had been sent. */
export async function insertInvitation(
  db: Db,
  { id: teamId }: { id: string },
  by: { id: string },
  {
    email = `${randomUUID()}@example.com`,
    role = "member",
  }: { email?: string; role?: "admin" | "member" } = {},
): Promise<TestInvitation> {
  const token = newToken();
  const [row] = await db
    .insert(invitations)
    .values({
      ...{ teamId, email, role, invitedBy: by.id, tokenHash: hashToken(token) },
      expiresAt: sql`now() + interval '1 day'`,
    })
    .returning({ id: invitations.id });
  if (!row) throw new Error("insertInvitation: the insert returned no row.");
  return { id: row.id, email, token };
}

/** Adds members to the team until only `free` of its plan's `seats` are left. */
export async function leaveSeats(db: Db, team: TestTeam, seats: number, free: number) {
  await db.execute(sql`
    with made as (
      insert into users (email, name)
      select gen_random_uuid() || '@example.com', 'Filler'
      from generate_series(1, ${seats - free}::int
        - (select count(*)::int from members where team_id = ${team.id}))
      returning id)
    insert into members (team_id, user_id, role) select ${team.id}::uuid, id, 'member' from made`);
}
