import { describe, expect, it } from "vitest";
import { reinstate, suspend } from "@/lib/admin/actions";
import { unknownClient } from "@/lib/audit";
import { redeemDisownLink } from "@/lib/auth/account/disowned-login";
import { redeemEmailRestore } from "@/lib/auth/account/email-change";
import { changePassword, redeemPasswordReset } from "@/lib/auth/account/password-change";
import { createLink, type LinkPurpose } from "@/lib/auth/links";
import { invalidateAllUserSessions } from "@/lib/auth/sessions/end";
import { deleteTeam } from "@/lib/teams/deletion";
import { leaveTeam, removeMember } from "@/lib/teams/members";
import { db, sql } from "@/tests/support/database";
import {
  addMember,
  createOwnedTeam,
  rolesIn,
  type TestMember,
  type TestTeam,
} from "@/tests/support/teams";
import { createLogin, createUser, password } from "@/tests/support/users";

/*
 * What ends a user's access to teams, and what the user gave to others: a test for each cell of the
 * third table of "What ends what" in lib/auth/README.md. `since` is later than the login or change
 * of email that the links report; `before` is older.
 */

type World = {
  team: TestTeam;
  owner: TestMember;
  member: TestMember;
  links: Record<"not-me" | "email-restore" | "password-reset", string>;
};

type Stands = {
  membership: boolean;
  /** The invitations sent by the user. */
  invitationBefore: boolean;
  invitationSince: boolean;
  /** The team keys created by the user. */
  keyBefore: boolean;
  keySince: boolean;
};

const all: Stands = {
  ...{ membership: true, keyBefore: true, keySince: true },
  ...{ invitationBefore: true, invitationSince: true },
};

const events: Record<string, Stands & { happens(world: World): Promise<unknown> }> = {
  "log out everywhere": {
    ...all,
    happens: ({ member }) => invalidateAllUserSessions(db, member.user.id),
  },
  "password change": {
    ...all,
    happens: ({ member: { session, token } }) =>
      changePassword(db, session, { presented: token, current: password, next: "kelp otter zinc" }),
  },
  "this was not me": {
    ...{ ...all, invitationSince: false, keySince: false },
    happens: ({ links }) => redeemDisownLink(db, links["not-me"], unknownClient),
  },
  "e-mail change taken back": {
    ...{ ...all, invitationSince: false, keySince: false },
    happens: ({ links }) => redeemEmailRestore(db, links["email-restore"], unknownClient),
  },
  "password reset": {
    ...all,
    happens: ({ links }) => reset(links["password-reset"], { revokeApiKeys: false }),
  },
  "password reset, with the API keys ticked": {
    ...{ ...all, keyBefore: false, keySince: false },
    happens: ({ links }) => reset(links["password-reset"], { revokeApiKeys: true }),
  },
  "password reset after an attack": {
    ...{ ...all, invitationBefore: false, invitationSince: false },
    happens: ({ links }) =>
      reset(links["password-reset"], { revokeApiKeys: false, attacked: true }),
  },
  "removal from the team, with one key kept": {
    ...{ ...all, membership: false, invitationBefore: false, invitationSince: false },
    keyBefore: false,
    async happens({ owner, member, team }) {
      const keys = await sql<{ id: string }[]>`
        select id from team_keys where team_id = ${team.id} and name = 'since'`;
      const ids = keys.map(({ id }) => id);
      await removeMember(db, owner.scope, member.user.id, ids);
    },
  },
  "leaving the team": {
    ...{ ...all, membership: false, invitationBefore: false, invitationSince: false },
    happens: ({ member }) => leaveTeam(db, member.scope),
  },
  suspension: {
    ...{ ...all, invitationBefore: false, invitationSince: false },
    happens: async ({ member }) => suspend(db, await anAdmin(), member.user.id, "Spam."),
  },
  "suspension, and then reinstatement": {
    ...{ ...all, invitationBefore: false, invitationSince: false },
    async happens({ member }) {
      await suspend(db, await anAdmin(), member.user.id, "Spam.");
      await reinstate(db, await anAdmin(), member.user.id);
    },
  },
};

function reset(link: string, choice: { revokeApiKeys: boolean; attacked?: boolean }) {
  return redeemPasswordReset(db, link, { password: "kelp otter zinc", ...choice }, unknownClient);
}

async function anAdmin() {
  return (await createLogin(db, await createUser(db, { role: "admin" }))).session;
}

async function createWorld(): Promise<World> {
  const { team, owner } = await createOwnedTeam(db);
  const member = await addMember(db, team, "admin");
  const { id: userId, email } = member.user;
  const [event] = await sql<{ id: string }[]>`
    insert into audit_events (kind, user_id, at) values ('logged-in', ${userId}, now() - interval '1 hour')
    returning id`;
  await addRows(team, userId, "before", "2 hours");
  await addRows(team, userId, "since", "30 minutes");
  const link = (purpose: LinkPurpose) =>
    createLink(db, { userId, purpose, sentTo: email, event: Number(event?.id) });
  return {
    ...{ team, owner, member },
    links: {
      "not-me": await link("not-me"),
      "email-restore": await link("email-restore"),
      "password-reset": await link("password-reset"),
    },
  };
}

async function addRows({ id }: TestTeam, user: string, name: string, ago: string): Promise<void> {
  await sql`
    insert into invitations (team_id, email, role, invited_by, created_at, expires_at)
    values (${id}, ${`${name}@example.com`}, 'member', ${user}, now() - ${ago}::interval,
      now() + interval '1 day')`;
  await sql`
    insert into team_keys (team_id, created_by, name, prefix, key_hash, scopes, created_at)
    values (${id}, ${user}, ${name}, 'lk_team_0000', sha256(gen_random_uuid()::text::bytea),
      '{projects:read}', now() - ${ago}::interval)`;
}

async function whatStands({ team, member }: World): Promise<Stands> {
  const invited = await sql<
    { email: string }[]
  >`select email from invitations where team_id = ${team.id}`;
  const keys = await sql<{ name: string }[]>`select name from team_keys where team_id = ${team.id}`;
  const has = (name: string) => keys.some((key) => key.name === name);
  const isInvited = (name: string) => invited.some(({ email }) => email === `${name}@example.com`);
  return {
    membership: member.user.id in (await rolesIn(db, team)),
    ...{ invitationBefore: isInvited("before"), invitationSince: isInvited("since") },
    ...{ keyBefore: has("before"), keySince: has("since") },
  };
}

describe.each(Object.entries(events))("%s", (_, { happens, ...expected }) => {
  it("ends the access to teams that the matrix says", async () => {
    const world = await createWorld();
    expect(await whatStands(world)).toEqual(all);
    await happens(world);
    expect(await whatStands(world)).toEqual(expected);
  });

  it("changes nothing that another member has or made", async () => {
    const world = await createWorld();
    const other = await addMember(db, world.team, "admin");
    await addRows(world.team, other.user.id, "other", "1 minute");
    await happens(world);
    const [row] = await sql`
      select count(*)::int as n from invitations i join team_keys k on k.team_id = i.team_id
      where i.team_id = ${world.team.id} and i.email = 'other@example.com' and k.name = 'other'`;
    expect(row).toEqual({ n: 1 });
    expect((await rolesIn(db, world.team))[other.user.id]).toBe("admin");
  });
});

describe("deletion of the team", () => {
  it("ends everything in it", async () => {
    const world = await createWorld();
    await deleteTeam(db, world.owner.scope);
    expect(Object.values(await whatStands(world))).toEqual(Object.values(all).map(() => false));
  });
});
