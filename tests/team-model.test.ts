import { randomUUID } from "node:crypto";
import fc from "fast-check";
import { expect, it } from "vitest";
import { operator, reinstate, suspend } from "@/lib/admin/actions";
import { unknownClient } from "@/lib/audit";
import { deleteAccount } from "@/lib/auth/account/deletion";
import { invalidateAllUserSessions } from "@/lib/auth/sessions/end";
import type { Session } from "@/lib/auth/sessions/lookup";
import { settleTeams } from "@/lib/teams/account-end";
import { deleteTeam } from "@/lib/teams/deletion";
import {
  findInvitation,
  invite,
  listInvitationsFor,
  revokeInvitation,
  sendInvitationAgain,
} from "@/lib/teams/invitations";
import { acceptInvitation, declineInvitation, redeemInvitation } from "@/lib/teams/joining";
import { createTeamKey, findTeamKey, revokeTeamKey } from "@/lib/teams/keys";
import { getTeamSession } from "@/lib/teams/lookup";
import { renderTeamMail } from "@/lib/teams/mails/jobs";
import { changeMemberRole, leaveTeam, removeMember, transferOwnership } from "@/lib/teams/members";
import {
  can,
  type InvitedRole,
  type TeamAction,
  type TeamRole,
  teamRoles,
} from "@/lib/teams/roles";
import { createMemberScope, type MemberScope } from "@/lib/teams/scope";
import { createTeam, renameTeam } from "@/lib/teams/teams";
import { db, sql } from "@/tests/support/database";
import { createLogin, createUser, type TestUser } from "@/tests/support/users";

/*
 * Runs random sequences of events against a small model of who belongs to which team. After
 * every step the product and the model must agree about the role of each session in each team,
 * about every invitation's link and about every team key ever issued. Pages are stale: a step
 * acts with any scope that a guard returned earlier, whatever has become of the member, the team
 * and the session since.
 *
 * @module-tag thorough
 */

type User = {
  account: TestUser;
  email: string;
  session: Session;
  token: string;
  /** A session that was ended. */
  ended: Session | null;
  state: "active" | "suspended" | "deleted";
};

type Invitation = {
  id: string;
  email: string;
  role: InvitedRole;
  by: User;
  /** The newest token, from the last mail that was rendered. */
  token: string;
  expired: boolean;
};

type Team = {
  handle: string;
  id: string;
  deleted: boolean;
  members: Map<User, TeamRole>;
  invitations: Invitation[];
  keys: { id: string; key: string; by: User }[];
  /** The kinds of its audit events, in order. */
  events: string[];
};

/** A scope as a page keeps it, with its user, team and session. */
type Page = { scope: MemberScope; user: User; team: Team; session: Session };

type Model = {
  users: User[];
  teams: Team[];
  pages: Page[];
  tokens: string[];
  keys: { key: string; team: Team }[];
  outsiders: string[];
};

const appUrl = "https://app.example.com";
const refused = (reason: string) => ({ ok: false, reason });
const done = { ok: true };

function pick<T>(list: T[], n: number): T | undefined {
  return list[n % Math.max(1, list.length)];
}

async function newUser(): Promise<User> {
  const account = await createUser(db);
  const login = await createLogin(db, account);
  return { account, email: account.email, ...login, ended: null, state: "active" };
}

async function newModel(): Promise<Model> {
  const users = await Promise.all([newUser(), newUser(), newUser(), newUser()]);
  const outsiders = [`${randomUUID()}@example.com`, `${randomUUID()}@example.com`];
  return { users, teams: [], pages: [], tokens: [], keys: [], outsiders };
}

const isLive = (user: User, session: Session) =>
  user.state === "active" && user.session === session;

/** Returns the role with which a page's user acts now, or undefined if they may not act at all. */
const actingRole = ({ user, team, session }: Page) =>
  !team.deleted && isLive(user, session) ? team.members.get(user) : undefined;

const mayNow = (
  page: Page,
  action: TeamAction,
  about?: { target?: TeamRole; to?: TeamRole },
): boolean => {
  const role = actingRole(page);
  return role !== undefined && can(role, action, about);
};

function isLastOwner({ members }: Team, user: User): boolean {
  if (members.get(user) !== "owner") return false;
  return ![...members].some((member) => member[0] !== user && isActiveOwner(member));
}

const works = (team: Team, { by, expired }: Invitation): boolean => {
  const role = team.members.get(by);
  return (
    !team.deleted && !expired && by.state === "active" && role !== undefined && can(role, "invite")
  );
};

const found = (model: Model, token: string) =>
  model.teams
    .flatMap((team) => team.invitations.map((invitation) => ({ team, invitation })))
    .find(({ team, invitation }) => !team.deleted && invitation.token === token);

function endMembership(team: Team, user: User): void {
  team.members.delete(user);
  team.invitations = team.invitations.filter(({ by }) => by !== user);
}

/** Opens a page for each member of each team, as a guard does. Pages are kept for good. */
async function openPages(model: Model): Promise<void> {
  for (const team of model.teams)
    for (const user of model.users) {
      if (
        model.pages.some(
          (page) => page.user === user && page.team === team && page.session === user.session,
        )
      )
        continue;
      const at = await getTeamSession(db, user.token, team.handle);
      if (!at?.team) continue;
      const scope = createMemberScope(at.team, at);
      model.pages.push({ scope, user, team, session: user.session });
    }
}

async function render(model: Model, team: Team, invitation: Invitation): Promise<void> {
  const job = { mail: "invitation", to: invitation.email, teamId: team.id } as const;
  const mail = await renderTeamMail(db, { ...job, invitation: invitation.id }, appUrl);
  const token = /invitations\/([\w-]{43})/.exec(mail?.text ?? "")?.[1];
  expect(token !== undefined).toBe(works(team, invitation));
  if (!token) return;
  invitation.token = token;
  model.tokens.push(token);
}

type Step = (model: Model, a: number, b: number) => Promise<void>;

/** Creates a step that acts with one of the pages, if there is any. */
const onPage =
  (act: (model: Model, page: Page, n: number) => Promise<void>): Step =>
  async (model, a, b) => {
    const page = pick(model.pages, a);
    if (page) await act(model, page, b);
  };

const steps: Record<string, Step> = {
  async createTeam(model, a) {
    const user = pick(model.users, a);
    if (!user) return;
    const created = await createTeam(db, user.session, "Team");
    expect(created.ok).toBe(user.state === "active");
    if (!created.ok) return;
    const [row] = await sql<
      { id: string }[]
    >`select id from teams where handle = ${created.handle}`;
    model.teams.push({
      ...{ handle: created.handle, id: `${row?.id}`, deleted: false, invitations: [], keys: [] },
      ...{ members: new Map([[user, "owner"]]), events: ["team-created"] },
    });
  },

  rename: onPage(async (_model, page, n) => {
    const renamed = await renameTeam(db, page.scope, `Team ${randomUUID()} ${n}`);
    const may = mayNow(page, "rename");
    expect(renamed).toEqual(may ? done : refused("not-allowed"));
    if (may) page.team.events.push("team-renamed");
  }),

  invite: onPage(async (model, page, n) => {
    const { team, user } = page;
    const emails = [...model.outsiders, ...model.users.map(({ email }) => email)];
    const email = pick(emails, n) ?? "";
    const role: InvitedRole = n % 3 === 0 ? "admin" : "member";
    const invited = await invite(db, page.scope, { email, role });
    const open = team.invitations.find((each) => each.email === email);
    const isMember = [...team.members.keys()].some((each) => each.email === email);
    if (!mayNow(page, "invite", { to: role }))
      return expect(invited).toEqual(refused("not-allowed"));
    if (isMember) return expect(invited).toEqual(refused("member"));
    if (open && !open.expired) return expect(invited).toEqual(refused("invited"));
    expect(invited).toEqual(done);
    const [row] = await sql<{ id: string }[]>`
      select id from invitations where team_id = ${team.id} and email = ${email}`;
    const invitation = { id: `${row?.id}`, email, role, by: user, token: "", expired: false };
    team.invitations = [...team.invitations.filter((each) => each !== open), invitation];
    team.events.push("team-invited");
    await render(model, team, invitation);
  }),

  sendAgain: onPage(async (model, page, n) => {
    const { team, user } = page;
    const invitation = pick(team.invitations, n);
    if (!invitation) return;
    const sent = await sendInvitationAgain(db, page.scope, invitation.id);
    if (!mayNow(page, "invite", { to: invitation.role }))
      return expect(sent).toEqual(refused("not-allowed"));
    expect(sent).toEqual(done);
    Object.assign(invitation, { by: user, expired: false, token: "" });
    team.events.push("team-invitation-sent-again");
    await render(model, team, invitation);
  }),

  revokeInvitation: onPage(async (_model, page, n) => {
    const { team } = page;
    const invitation = pick(team.invitations, n);
    const revoked = await revokeInvitation(db, page.scope, invitation?.id ?? randomUUID());
    if (!mayNow(page, "invite")) return expect(revoked).toEqual(refused("not-allowed"));
    if (!invitation) return expect(revoked).toEqual(refused("gone"));
    expect(revoked).toEqual(done);
    team.invitations = team.invitations.filter((each) => each !== invitation);
    team.events.push("team-invitation-revoked");
  }),

  async accept(model, a, b) {
    const [token, user] = [pick(model.tokens, a), pick(model.users, b)];
    if (!token || !user) return;
    const session = user.ended && a % 4 === 0 ? user.ended : user.session;
    const accepted = await acceptInvitation(db, session, { token });
    const at = found(model, token);
    if (!at || !works(at.team, at.invitation))
      return expect(accepted).toEqual(refused("dead-link"));
    if (!isLive(user, session)) return expect(accepted).toEqual(refused("session-ended"));
    if (at.invitation.email !== user.email) return expect(accepted).toEqual(refused("other-user"));
    expect(accepted).toEqual({ ok: true, handle: at.team.handle });
    joined(at.team, at.invitation, user);
  },

  async acceptFromTheList(model, a, b) {
    const [team, user] = [pick(model.teams, a), pick(model.users, b)];
    const invitation = team && pick(team.invitations, b);
    if (!team || !user || !invitation) return;
    const accepted = await acceptInvitation(db, user.session, { id: invitation.id });
    const isOwn = invitation.email === user.email && user.state !== "deleted";
    if (!isOwn || !works(team, invitation)) return expect(accepted).toEqual(refused("dead-link"));
    if (user.state !== "active") return expect(accepted).toEqual(refused("session-ended"));
    expect(accepted).toEqual({ ok: true, handle: team.handle });
    joined(team, invitation, user);
  },

  async decline(model, a, b) {
    const [team, user] = [pick(model.teams, a), pick(model.users, b)];
    const invitation = team && pick(team.invitations, a);
    if (!team || !user || !invitation) return;
    const declined = await declineInvitation(db, user.session, invitation.id);
    const isOwn = invitation.email === user.email && user.state !== "deleted";
    if (!isOwn || !works(team, invitation)) return expect(declined).toEqual(refused("dead-link"));
    if (user.state !== "active") return expect(declined).toEqual(refused("session-ended"));
    expect(declined).toEqual(done);
    team.invitations = team.invitations.filter((each) => each !== invitation);
    team.events.push("team-invitation-declined");
  },

  async signUpByInvitation(model, a) {
    const token = pick(model.tokens, a);
    if (!token || model.users.length > 7) return;
    const chosen = { name: "New", password: `kelp otter zinc ${randomUUID()}` };
    const visit = { presented: null, client: unknownClient };
    const redeemed = await redeemInvitation(db, token, chosen, visit);
    const at = found(model, token);
    if (!at || !works(at.team, at.invitation))
      return expect(redeemed).toEqual(refused("dead-link"));
    const { email } = at.invitation;
    if (model.users.some((user) => user.email === email && user.state !== "deleted"))
      return expect(redeemed).toEqual(refused("has-account"));
    expect(redeemed).toMatchObject({ ok: true, handle: at.team.handle });
    if (!redeemed.ok) return;
    const session = await getTeamSession(db, redeemed.token, at.team.handle);
    if (!session) throw new Error("The new user is not logged in.");
    const user: User = {
      account: { id: session.userId, email, name: "New" },
      ...{ email, session, token: redeemed.token, ended: null, state: "active" },
    };
    model.users.push(user);
    joined(at.team, at.invitation, user);
  },

  changeRole: onPage(async (model, page, n) => {
    const { team } = page;
    const target = pick(model.users, n);
    const role = teamRoles[n % 3] ?? "member";
    if (!target) return;
    const changed = await changeMemberRole(db, page.scope, target.account.id, role);
    const before = team.members.get(target);
    if (actingRole(page) === undefined) return expect(changed).toEqual(refused("not-allowed"));
    if (!before) return expect(changed).toEqual(refused("gone"));
    if (!mayNow(page, "change-role", { target: before, to: role }))
      return expect(changed).toEqual(refused("not-allowed"));
    if (before === role) return expect(changed).toEqual(refused("unchanged"));
    if (isLastOwner(team, target)) return expect(changed).toEqual(refused("last-owner"));
    expect(changed).toEqual(done);
    team.members.set(target, role);
    if (!can(role, "invite")) team.invitations = team.invitations.filter(({ by }) => by !== target);
    team.events.push("team-role-changed");
  }),

  transfer: onPage(async (model, page, n) => {
    const { team, user } = page;
    const target = pick(model.users, n);
    if (!target) return;
    const transferred = await transferOwnership(db, page.scope, target.account.id);
    if (!mayNow(page, "transfer")) return expect(transferred).toEqual(refused("not-allowed"));
    if (!team.members.has(target)) return expect(transferred).toEqual(refused("gone"));
    if (target === user) return expect(transferred).toEqual(refused("unchanged"));
    if (target.state !== "active") return expect(transferred).toEqual(refused("suspended"));
    expect(transferred).toEqual(done);
    team.members.set(target, "owner").set(user, "admin");
    team.events.push("team-role-changed", "team-role-changed");
  }),

  leave: onPage(async (_model, page) => {
    const { team, user } = page;
    const left = await leaveTeam(db, page.scope);
    if (actingRole(page) === undefined) return expect(left).toEqual(refused("not-allowed"));
    if (isLastOwner(team, user)) return expect(left).toEqual(refused("last-owner"));
    expect(left).toEqual(done);
    endMembership(team, user);
    team.events.push("team-left");
  }),

  remove: onPage(async (model, page, n) => {
    const { team, user } = page;
    const target = pick(model.users, n);
    if (!target) return;
    const kept = n % 2 ? [] : model.teams.flatMap(({ keys }) => keys.map(({ id }) => id));
    const removed = await removeMember(db, page.scope, target.account.id, kept);
    const role = team.members.get(target);
    if (actingRole(page) === undefined) return expect(removed).toEqual(refused("not-allowed"));
    if (!role) return expect(removed).toEqual(refused("gone"));
    if (target === user || !mayNow(page, "remove", { target: role }))
      return expect(removed).toEqual(refused("not-allowed"));
    expect(removed).toEqual(done);
    endMembership(team, target);
    const revoked = n % 2 ? team.keys.filter(({ by }) => by === target) : [];
    team.keys = team.keys.filter((key) => !revoked.includes(key));
    team.events.push(...revoked.map(() => "team-key-revoked"), "team-member-removed");
  }),

  deleteTeam: onPage(async (_model, page, n) => {
    if (n % 3) return; // otherwise teams would be too short-lived
    const deleted = await deleteTeam(db, page.scope);
    const may = mayNow(page, "delete");
    expect(deleted).toEqual(may ? done : refused("not-allowed"));
    if (may) page.team.deleted = true;
  }),

  createKey: onPage(async (model, page) => {
    const { team, user } = page;
    const key = { name: "Key", scopes: ["projects:read" as const], lifetime: 30 };
    const created = await createTeamKey(db, page.scope, key);
    if (!mayNow(page, "manage-keys")) return expect(created).toEqual(refused("not-allowed"));
    if (!created.ok) throw new Error(created.reason);
    team.keys.push({ id: created.id, key: created.key, by: user });
    model.keys.push({ key: created.key, team });
    team.events.push("team-key-created");
  }),

  revokeKey: onPage(async (model, page, n) => {
    const { team } = page;
    const key = pick(
      model.teams.flatMap(({ keys }) => keys),
      n,
    ); // may be another team's
    const revoked = await revokeTeamKey(db, page.scope, key?.id ?? randomUUID());
    if (!mayNow(page, "manage-keys")) return expect(revoked).toEqual(refused("not-allowed"));
    if (!key || !team.keys.includes(key)) return expect(revoked).toEqual(refused("gone"));
    expect(revoked).toEqual(done);
    team.keys = team.keys.filter((each) => each !== key);
    team.events.push("team-key-revoked");
  }),

  async suspendOrReinstate(model, a) {
    const user = pick(model.users, a);
    if (!user || user.state === "deleted") return;
    if (user.state === "active") {
      await suspend(db, operator, user.account.id, "Test.");
      user.state = "suspended";
      for (const team of model.teams)
        team.invitations = team.invitations.filter(({ by }) => by !== user);
      return;
    }
    await reinstate(db, operator, user.account.id);
    user.state = "active";
    await logInAgain(user);
  },

  async logOutEverywhere(model, a) {
    const user = pick(model.users, a);
    if (user?.state !== "active") return;
    await invalidateAllUserSessions(db, user.account.id);
    await logInAgain(user);
  },

  async deleteAccount(model, a, b) {
    const user = pick(model.users, a);
    if (!user || b % 2) return;
    const deleted = await deleteAccount(db, user.session, settleTeams);
    if (user.state !== "active") return expect(deleted).toEqual(refused("ended"));
    const own = model.teams.filter((team) => !team.deleted && team.members.has(user));
    const isAlone = ({ members }: Team) => members.size === 1;
    const needs = own.filter((team) => !isAlone(team) && isLastOwner(team, user));
    if (needs.length > 0)
      return expect(deleted).toMatchObject({
        ...refused("needed-by-teams"),
        teams: expect.any(Array),
      });
    expect(deleted).toEqual(done);
    user.state = "deleted";
    for (const team of own) {
      if (isAlone(team)) team.deleted = true;
      else team.events.push("team-left");
      team.members.delete(user);
    }
    for (const team of model.teams)
      team.invitations = team.invitations.filter(({ by }) => by !== user);
  },

  async changeEmail(model, a) {
    const user = pick(model.users, a);
    if (!user || user.state === "deleted") return;
    // Alternates between two emails, so that invitations to the former one wait for it.
    const email =
      user.email === user.account.email ? `new-${user.account.email}` : user.account.email;
    await sql`update users set email = ${email} where id = ${user.account.id}`;
    user.email = email;
  },

  async invitationsExpire(model, a) {
    const team = pick(model.teams, a);
    if (!team) return;
    await sql`update invitations set expires_at = now() - interval '1 second' where team_id = ${team.id}`;
    for (const invitation of team.invitations) invitation.expired = true;
  },
};

function joined(team: Team, invitation: Invitation, user: User): void {
  team.invitations = team.invitations.filter((each) => each !== invitation);
  if (team.members.has(user)) return;
  team.members.set(user, invitation.role);
  team.events.push("team-joined");
}

async function logInAgain(user: User): Promise<void> {
  user.ended = user.session;
  Object.assign(user, await createLogin(db, { ...user.account, email: user.email }));
}

/** Expects the product and the model to agree about everything that was ever issued. */
async function compare(model: Model): Promise<void> {
  for (const team of model.teams) {
    for (const user of model.users) {
      const at = await getTeamSession(db, user.token, team.handle);
      const role = user.state === "active" && !team.deleted ? team.members.get(user) : undefined;
      expect(at?.team?.role).toBe(role);
    }
    if (team.deleted) continue;
    const events = await sql<{ kind: string }[]>`
      select kind from audit_events where team_id = ${team.id} order by id`;
    expect(events.map(({ kind }) => kind)).toEqual(team.events);
    const owners = await sql`select from members where team_id = ${team.id} and role = 'owner'`;
    expect(owners.length).toBeGreaterThan(0);
  }
  for (const token of model.tokens) {
    const at = found(model, token);
    const expected = at && works(at.team, at.invitation) ? at.invitation : undefined;
    const shown = await findInvitation(db, token);
    expect(shown && { id: shown.id, email: shown.email, role: shown.role }).toEqual(
      expected ? { id: expected.id, email: expected.email, role: expected.role } : null,
    );
  }
  for (const user of model.users) {
    if (user.state === "deleted") continue;
    const listed = await listInvitationsFor(db, user.session);
    const open = model.teams.flatMap((team) =>
      team.invitations.filter((each) => each.email === user.email && works(team, each)),
    );
    expect(new Set(listed.map(({ id }) => id))).toEqual(new Set(open.map(({ id }) => id)));
  }
  for (const { key, team } of model.keys) {
    const opened = await findTeamKey(db, key);
    const stands = !team.deleted && team.keys.some((each) => each.key === key);
    const opens = stands && [...team.members].some(isActiveOwner);
    expect(opened?.team.handle).toBe(opens ? team.handle : undefined);
  }
}

const isActiveOwner = ([user, role]: [User, TeamRole]) =>
  role === "owner" && user.state === "active";

class Command implements fc.AsyncCommand<Model, object> {
  constructor(
    readonly name: string,
    readonly a: number,
    readonly b: number,
  ) {}
  check = () => true;
  async run(model: Model): Promise<void> {
    await steps[this.name]?.(model, this.a, this.b);
    await openPages(model);
    await compare(model);
  }
  toString = () => `${this.name}(${this.a}, ${this.b})`;
}

const names = [
  ...["invite", "invite", "invite", "invite", "accept", "accept", "accept", "accept"],
  ...["acceptFromTheList", "acceptFromTheList", "signUpByInvitation", "changeRole", "changeRole"],
  ...["createKey", "createTeam"],
  ...Object.keys(steps),
];

it("agrees with its model about members, invitations and keys, whatever happens in whatever order", async () => {
  const choice = fc.nat({ max: 59 });
  const command = fc
    .tuple(fc.constantFrom(...names), choice, choice)
    .map(([name, a, b]) => new Command(name, a, b));
  const commands = fc.commands([command], { maxCommands: 40, size: "max" });
  await fc.assert(
    fc.asyncProperty(commands, async (commands) => {
      const model = await newModel();
      // Otherwise most steps at the beginning would find nothing to act on.
      await steps.createTeam?.(model, 0, 0);
      await openPages(model);
      await fc.asyncModelRun(async () => ({ model, real: {} }), commands);
    }),
    { numRuns: 25 },
  );
});
