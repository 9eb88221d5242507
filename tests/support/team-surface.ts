import type { Connection } from "@/lib/db/client";
import { addCustomer } from "./billing";
import { expect } from "./end-to-end";
import type { Answer } from "./http-client";
import { createTestTeam, insertInvitation, type TestInvitation } from "./teams";
import { createUser, password, type TestUser } from "./users";

/* The teams in the scenario of surface.ts, and the fields of the team actions. */

/** Teams of a user and two others. */
export type TeamScenario = {
  /** Owned by the user and `target`. */
  team: ScenarioTeam;
  /** The id of a team whose owner is suspended and in which `target` is a member. */
  ownerless: string;
  /** An invitation of the user's email to another team. */
  invited: TestInvitation;
};

/** The ids of a team and of one row of each kind. */
export type ScenarioTeam = {
  id: string;
  handle: string;
  /** The id of another user, who is a member. */
  member: string;
  /** An open invitation to an email without an account. */
  invitation: string;
  teamKey: string;
  project: string;
  note: string;
};

export async function addTeams(
  connection: Connection,
  { user, target, suspended }: Record<"user" | "target" | "suspended", TestUser>,
): Promise<TeamScenario> {
  const ownerless = await createTestTeam(connection.db, { owner: [suspended], member: [target] });
  return {
    team: await addTeam(connection, user, target),
    ownerless: ownerless.id,
    invited: await inviteFrom(connection, user.email),
  };
}

/** Returns the paths of the team's pages among these routes of the build. */
export function teamPaths(routes: string[], team: ScenarioTeam): string[] {
  return routes
    .filter((route) => route.startsWith("/t/[team]"))
    .map((route) => {
      const id = route.includes("/projects/") ? team.project : team.member;
      return route.replace("[team]", team.handle).replace("[id]", id);
    });
}

/** Returns the ids of the team and its rows. */
export const idsOf = ({ handle: _, ...ids }: ScenarioTeam) => Object.values(ids);

/** Returns the route's paths for every combination of these teams and their ids. */
export function pathsOf(route: string, teams: ScenarioTeam[]): string[] {
  const withTeam = teams.map(({ handle }) => route.replace("[team]", handle));
  const paths = withTeam.flatMap((path) =>
    teams.flatMap(idsOf).map((id) => path.replace(/\[(\.\.\.)?\w+\]/, id)),
  );
  return [...new Set(paths)];
}

/** Expects a response that is no server failure and does not contain this word. */
export function expectNothingOf(
  word: string,
  { status, headers, body }: Answer,
  what: string,
): void {
  expect(`${JSON.stringify(headers)}${body}`, what).not.toContain(word);
  // /unavailable is the page for 503 responses, and shows nothing else.
  expect(status, what).toBeLessThan(what.startsWith("/unavailable") ? 504 : 500);
}

/** Inserts a team of two owners and a member, with a row in each table of a team. */
export async function addTeam(
  { db, sql }: Connection,
  owner: TestUser,
  second: TestUser,
): Promise<ScenarioTeam> {
  const member = await createUser(db);
  const { id, handle } = await createTestTeam(db, { owner: [owner, second], member: [member] });
  const [row] = await sql<Omit<ScenarioTeam, "id" | "handle" | "member">[]>`
    with invited as (
      insert into invitations (team_id, email, role, invited_by, expires_at)
      values (${id}, ${`invited-${owner.email}`}, 'member', ${owner.id}, now() + interval '1 day')
      returning id),
    project as (
      insert into projects (team_id, name, created_by) values (${id}, 'Website', ${owner.id})
      returning id),
    noted as (
      insert into notes (team_id, project_id, body, author_id)
      select ${id}::uuid, id, 'Ask for a quote.', ${owner.id}::uuid from project returning id),
    keyed as (
      insert into team_keys (team_id, created_by, name, prefix, key_hash, scopes)
      values (${id}, ${owner.id}, 'Backup', 'lk_team_0000', sha256(gen_random_uuid()::text::bytea),
        '{projects:read}')
      returning id)
    select (select id from invited) as invitation,
      (select id from project) as project, (select id from noted) as note,
      (select id from keyed) as "teamKey"`;
  if (!row) throw new Error("addTeam: the insert returned no row.");
  await addCustomer({ db, sql }, id);
  // As after a visit: the pages record the team opened last.
  await sql`
    update sessions set data = jsonb_build_object('lastTeam', ${handle}::text) where user_id = ${owner.id}`;
  return { id, handle, member: member.id, ...row };
}

/** Creates another user's team with an open invitation to this email. */
export async function inviteFrom(
  { db }: Pick<Connection, "db">,
  email: string,
  names: { inviter?: string; team?: string } = {},
): Promise<TestInvitation> {
  const inviter = await createUser(db, names.inviter ? { name: names.inviter } : {});
  const team = await createTestTeam(
    db,
    { owner: [inviter] },
    names.team ? { name: names.team } : {},
  );
  return insertInvitation(db, team, inviter, { email });
}

type Who = TeamScenario & {
  email: string;
  target: string;
  links: { invitation: string };
  signedUp: (link: "invitation") => string;
};

/** Like `fieldsByAction` of surface.ts, for the team actions. */
export const teamActions: Record<string, (who: Who) => Record<string, string>> = {
  createTeam: () => ({ name: "Another Team" }),
  joinTeam: ({ invited }) => ({ id: invited.id }),
  declineInvitation: ({ invited }) => ({ id: invited.id }),
  acceptInvitation: ({ invited }) => ({ token: invited.token }),
  createAccountAndJoin: ({ links }) => ({ token: links.invitation, name: "Newcomer", password }),
  createAccountAndJoinWithPasskey: ({ links, signedUp }) => ({
    ...{ token: links.invitation, name: "Newcomer", credential: signedUp("invitation") },
  }),
  sendInvitation: ({ team, email }) => ({
    ...{ team: team.handle, email: `newcomer-${email}`, role: "member" },
  }),
  sendInvitationAgain: ({ team }) => ({ team: team.handle, id: team.invitation }),
  revokeInvitation: ({ team }) => ({ team: team.handle, id: team.invitation }),
  renameTeam: ({ team }) => ({ team: team.handle, name: "Another Name" }),
  createProject: ({ team }) => ({ team: team.handle, name: "Another Project" }),
  renameProject: ({ team }) => ({ ...projectOf(team), name: "Another Name" }),
  setProjectArchived: ({ team }) => ({ ...projectOf(team), archived: "on" }),
  deleteProject: ({ team }) => ({ ...projectOf(team), sure: "on" }),
  addNote: ({ team }) => ({ ...projectOf(team), body: "Another note." }),
  deleteNote: ({ team }) => ({ ...projectOf(team), note: team.note }),
  upgrade: ({ team }) => ({ team: team.handle, plan: "pro", interval: "month" }),
  manageBilling: ({ team }) => ({ team: team.handle }),
  lookAgain: ({ team }) => ({ team: team.handle }),
  requireStrong: ({ team }) => ({ team: team.handle, required: "on" }),
  transferOwnership: ({ team }) => ({ team: team.handle, user: team.member }),
  leaveTeam: ({ team }) => ({ team: team.handle }),
  deleteTeam: ({ team }) => ({ team: team.handle, confirmation: "Test Team" }),
  changeMemberRole: ({ team }) => ({ team: team.handle, user: team.member, role: "admin" }),
  removeMember: ({ team }) => ({ team: team.handle, user: team.member }),
  createKeyOfTeam: ({ team }) => ({
    ...{ team: team.handle, name: "Backup", "projects:read": "on", expires: "30" },
  }),
  revokeKeyOfTeam: ({ team }) => ({ team: team.handle, id: team.teamKey }),
  givePlan: ({ team }) => ({ id: team.id, plan: "pro", until: inAMonth() }),
  takePlanBack: ({ team }) => ({ id: team.id }),
  syncTeam: ({ team }) => ({ id: team.id }),
  makeTeamOwner: ({ ownerless, target }) => ({ id: ownerless, user: target }),
};

const inAMonth = () => new Date(Date.now() + 30 * 86_400_000).toISOString().slice(0, 10);

const projectOf = ({ handle, project }: ScenarioTeam) => ({ team: handle, project });
