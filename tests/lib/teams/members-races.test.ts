import { sql as query } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { recordEach, unknownClient } from "@/lib/audit";
import type { Db } from "@/lib/db/client";
import { members } from "@/lib/db/schema/members";
import { lockTeam } from "@/lib/teams/locks";
import { changeMemberRole, leaveTeam, removeMember, transferOwnership } from "@/lib/teams/members";
import { can, type TeamRole } from "@/lib/teams/roles";
import { db, sql } from "@/tests/support/database";
import { collide } from "@/tests/support/races";
import {
  addMember,
  createOwnedTeam,
  rolesIn,
  type TestMember,
  type TestTeam,
} from "@/tests/support/teams";

/*
 * What members do to each other at the same moment, in the worst interleaving: all callers wait for
 * one lock before any continues. Each test is next to a naive variant of the same change, which
 * ends wrong. The variants for owners run without the trigger that keeps an owner, except in the
 * test of that trigger.
 */

const lockRow = (team: TestTeam) => (tx: Db) =>
  tx.execute(query`select from teams where id = ${team.id} for no key update`);

/** For the naive variants, which do not lock the team. */
const lockMembers = (team: TestTeam) => (tx: Db) =>
  tx.execute(query`select from members where team_id = ${team.id} for update`);

async function ownersOf(team: TestTeam): Promise<string[]> {
  const roles = Object.entries(await rolesIn(db, team));
  return roles.filter(([, role]) => role === "owner").map(([id]) => id);
}

async function teamOfOwners(count: number): Promise<{ team: TestTeam; owners: TestMember[] }> {
  const { team, owner } = await createOwnedTeam(db);
  const owners = [owner];
  while (owners.length < count) owners.push(await addMember(db, team, "owner"));
  return { team, owners };
}

/** Returns a test's member by the index of the caller. */
function at<T>(list: T[], index: number): T {
  const found = list[index];
  if (found === undefined) throw new Error(`There is no caller ${index}.`);
  return found;
}

async function eventsOf(team: TestTeam): Promise<string[]> {
  const rows = await sql<{ kind: string }[]>`
    select kind from audit_events where team_id = ${team.id} order by id`;
  return rows.map(({ kind }) => kind);
}

const removeNaively = (own: Db, team: TestTeam, userId: string) =>
  own.execute(query`delete from members where team_id = ${team.id} and user_id = ${userId}`);

/** A single statement, whose snapshot is older than its wait. */
const leaveNaively = (own: Db, team: TestTeam, { user }: TestMember) =>
  own.execute(query`
    delete from members where team_id = ${team.id} and user_id = ${user.id}
      and (select count(*) from members where team_id = ${team.id} and role = 'owner') > 1`);

const demoteNaively = (own: Db, team: TestTeam, actor: TestMember, target: TestMember) =>
  own.execute(query`
    update members set role = 'member' where team_id = ${team.id} and user_id = ${target.user.id}
      and exists (select from members
        where team_id = ${team.id} and user_id = ${actor.user.id} and role = 'owner')`);

const transferNaively = (own: Db, team: TestTeam, from: TestMember, to: TestMember) =>
  own.execute(query`
    update members set role = case user_id when ${to.user.id}::uuid then 'owner' else 'admin' end
    where team_id = ${team.id} and user_id in (${from.user.id}, ${to.user.id})
      and exists (select from members where team_id = ${team.id} and user_id = ${to.user.id})`);

/** Locks the team, but then checks the role that the request found. */
const changeRoleNaively = (own: Db, { scope }: TestMember, target: TestMember, role: TeamRole) =>
  own.transaction(async (tx) => {
    await lockTeam(tx, scope.teamId, [target.user.id]);
    if (!can(scope.role, "change-role", { target: target.role, to: role })) return;
    await tx
      .update(members)
      .set({ role })
      .where(query`
      team_id = ${scope.teamId} and user_id = ${target.user.id}`);
  });

/** Looks first, then deletes and records, so the loser of the race records too. */
async function endNaively(own: Db, team: TestTeam, { user }: TestMember, kind: "team-left") {
  const found = await own.execute(query`
    select from members where team_id = ${team.id} and user_id = ${user.id}`);
  if (found.length === 0) return;
  await removeNaively(own, team, user.id);
  await own.execute(query`
    with ended as (select ${user.id}::uuid as user_id, null::uuid as session_id)
    ${recordEach("ended", kind, unknownClient, undefined, null, team.id)}`);
}

describe("30 owners who leave at once", () => {
  it("leave one behind", async () => {
    const { team, owners } = await teamOfOwners(30);
    const left = await collide(30, lockRow(team), (own, index) =>
      leaveTeam(own, at(owners, index).scope),
    );
    expect(left.filter(({ ok }) => ok)).toHaveLength(29);
    expect(left).toContainEqual({ ok: false, reason: "last-owner" });
    expect(await ownersOf(team)).toHaveLength(1);
    expect(await eventsOf(team)).toEqual(Array(29).fill("team-left"));
  });

  it("leave one behind even by naive code: the trigger refuses the last", async () => {
    const { team, owners } = await teamOfOwners(30);
    const left = await collide(30, lockMembers(team), (own, index) =>
      codeOf(leaveNaively(own, team, at(owners, index))),
    );
    expect(left.filter((code) => code === undefined)).toHaveLength(29);
    expect(left).toContain("23514 team_keeps_an_owner");
    expect(await ownersOf(team)).toHaveLength(1);
  });
});

describe("without the trigger", () => {
  beforeAll(() => sql`alter table members disable trigger user`);
  afterAll(() => sql`alter table members enable trigger user`);

  it("30 owners who leave at once leave one behind, and none by naive code", async () => {
    for (const [isNaive, expected] of [
      [false, 1],
      [true, 0],
    ] as const) {
      const { team, owners } = await teamOfOwners(30);
      await collide<unknown>(30, isNaive ? lockMembers(team) : lockRow(team), (own, index) =>
        isNaive
          ? leaveNaively(own, team, at(owners, index))
          : leaveTeam(own, at(owners, index).scope),
      );
      expect(await ownersOf(team)).toHaveLength(expected);
    }
  });

  it("two owners who demote each other leave one, and none by naive code", async () => {
    const first = await teamOfOwners(2);
    const answers = await collide(2, lockRow(first.team), (own, index) =>
      changeMemberRole(
        own,
        at(first.owners, index).scope,
        at(first.owners, 1 - index).user.id,
        "member",
      ),
    );
    expect(answers.filter(({ ok }) => ok)).toHaveLength(1);
    expect(answers).toContainEqual({ ok: false, reason: "not-allowed" });
    expect(await ownersOf(first.team)).toHaveLength(1);

    const { team, owners } = await teamOfOwners(2);
    await collide(2, lockMembers(team), (own, index) =>
      demoteNaively(own, team, at(owners, index), at(owners, 1 - index)),
    );
    expect(await ownersOf(team)).toEqual([]);
  });

  it("an owner who removes the other and leaves, in two tabs: one owner stays, none by naive code", async () => {
    const first = await teamOfOwners(2);
    const [ada, bob] = [at(first.owners, 0), at(first.owners, 1)];
    const answers = await collide<{ ok: boolean }>(2, lockRow(first.team), (own, index) =>
      index === 0 ? removeMember(own, ada.scope, bob.user.id) : leaveTeam(own, ada.scope),
    );
    expect(answers.filter(({ ok }) => ok)).toHaveLength(1);
    expect(await ownersOf(first.team)).toHaveLength(1);

    const { team, owners } = await teamOfOwners(2);
    await collide(2, lockMembers(team), (own, index) =>
      index === 0
        ? removeNaively(own, team, at(owners, 1).user.id)
        : leaveNaively(own, team, at(owners, 0)),
    );
    expect(await ownersOf(team)).toEqual([]);
  });

  it("a transfer to a member who leaves: one owner stays, none by naive code", async () => {
    const { team, owner } = await createOwnedTeam(db);
    const member = await addMember(db, team, "member");
    const [transferred, left] = await collide<{ ok: boolean; reason?: string }>(
      2,
      lockRow(team),
      (own, index) =>
        index === 0
          ? transferOwnership(own, owner.scope, member.user.id)
          : leaveTeam(own, member.scope),
    );
    expect([transferred?.ok, left?.ok].filter(Boolean)).toHaveLength(1);
    expect(await ownersOf(team)).toEqual([transferred?.ok ? member.user.id : owner.user.id]);
    expect(transferred?.ok ? left?.reason : transferred?.reason).toBe(
      transferred?.ok ? "last-owner" : "gone",
    );

    const other = await createOwnedTeam(db);
    const second = await addMember(db, other.team, "member");
    await collide(
      1,
      (tx) => removeNaively(tx, other.team, second.user.id),
      (own) => transferNaively(own, other.team, other.owner, second),
    );
    expect(await ownersOf(other.team)).toEqual([]);
  });
});

describe("a removal and its member's leaving, at once", () => {
  it("end the membership once, with one event, and with two by naive code", async () => {
    const { team, owner } = await createOwnedTeam(db);
    const member = await addMember(db, team, "member");
    const answers = await collide<{ ok: boolean }>(2, lockRow(team), (own, index) =>
      index === 0 ? removeMember(own, owner.scope, member.user.id) : leaveTeam(own, member.scope),
    );
    expect(answers.filter(({ ok }) => ok)).toHaveLength(1);
    expect(await eventsOf(team)).toHaveLength(1);

    const other = await createOwnedTeam(db);
    const second = await addMember(db, other.team, "member");
    await collide(2, lockMembers(other.team), (own) =>
      endNaively(own, other.team, second, "team-left"),
    );
    expect(await eventsOf(other.team)).toHaveLength(2);
  });
});

describe("a change of role by an admin who is being removed", () => {
  async function scene() {
    const { team, owner } = await createOwnedTeam(db);
    const admin = await addMember(db, team, "admin");
    return { team, owner, admin, member: await addMember(db, team, "member") };
  }

  it("is refused once the removal is committed, but made by naive code", async () => {
    const { team, owner, admin, member } = await scene();
    const [changed] = await collide(
      1,
      (tx) => removeMember(tx, owner.scope, admin.user.id),
      (own) => changeMemberRole(own, admin.scope, member.user.id, "admin"),
    );
    expect(changed).toEqual({ ok: false, reason: "not-allowed" });
    expect(await rolesIn(db, team)).toEqual({
      [owner.user.id]: "owner",
      [member.user.id]: "member",
    });

    const naive = await scene();
    await collide(
      1,
      (tx) => removeMember(tx, naive.owner.scope, naive.admin.user.id),
      (own) => changeRoleNaively(own, naive.admin, naive.member, "admin"),
    );
    expect(await rolesIn(db, naive.team)).toHaveProperty(naive.member.user.id, "admin");
  });

  it("happens before the removal or not at all", async () => {
    const { team, owner, admin, member } = await scene();
    const [changed, removed] = await collide<{ ok: boolean }>(2, lockRow(team), (own, index) =>
      index === 0
        ? changeMemberRole(own, admin.scope, member.user.id, "admin")
        : removeMember(own, owner.scope, admin.user.id),
    );
    expect(removed).toEqual({ ok: true });
    const kinds = changed?.ok ? ["team-role-changed"] : [];
    expect(await eventsOf(team)).toEqual([...kinds, "team-member-removed"]);
    const role = changed?.ok ? "admin" : "member";
    expect(await rolesIn(db, team)).toEqual({ [owner.user.id]: "owner", [member.user.id]: role });
  });
});

/** Returns the code and the constraint of a statement's error, or undefined. */
async function codeOf(statement: Promise<unknown>): Promise<string | undefined> {
  try {
    await statement;
    return undefined;
  } catch (error) {
    const cause = error instanceof Error ? (error.cause as Record<string, unknown>) : {}; // the driver's
    return `${cause.code} ${cause.constraint_name}`;
  }
}
