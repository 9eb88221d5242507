import { randomInt } from "node:crypto";
import { eq, sql } from "drizzle-orm";
import { QueryBuilder } from "drizzle-orm/pg-core";
import { recordEach } from "@/lib/audit";
import type { Session } from "@/lib/auth/sessions/lookup";
import { entitledPlan } from "@/lib/billing/entitlements";
import { addTeamUpdate } from "@/lib/billing/jobs";
import type { Plan } from "@/lib/billing/plans";
import { startTrial } from "@/lib/billing/trials";
import type { Db } from "@/lib/db/client";
import { prepared } from "@/lib/db/prepared";
import { members } from "@/lib/db/schema/members";
import { teams } from "@/lib/db/schema/teams";
import { lockSession, lockTeamAs, lockUsers } from "./locks";
import { teamPolicy } from "./policy";
import { can, type TeamRole } from "./roles";
import type { MemberScope } from "./scope";

/*
 * Creates, renames and lists teams, and sets what a team requires of its members. Security: a
 * handle is random and never reused, so neither a rename nor a deletion can make an old link lead
 * to another team.
 */

export type CreateTeam =
  | { ok: true; handle: string }
  | { ok: false; reason: "too-many" | "session-ended" };

/**
 * Creates a team owned by the acting user. "session-ended" also if the session has ended
 * since it was looked up.
 */
export async function createTeam(db: Db, session: Session, name: string): Promise<CreateTeam> {
  const handle = newHandle();
  return db.transaction(async (tx) => {
    // Locks the user first: the count below must include the teams of a parallel call.
    await lockUsers(tx, [session.userId]);
    if (!(await lockSession(tx, session))) return { ok: false, reason: "session-ended" };
    const [owned] = await tx.execute<{ n: number }>(sql`
      select count(*)::int as n from ${members}
      where ${members.userId} = ${session.userId} and ${members.role} = 'owner'`);
    if (owned && owned.n >= teamPolicy.ownedTeams) return { ok: false, reason: "too-many" };
    const [team] = await tx.execute<{ id: string }>(sql`
      insert into ${teams} (handle, name) values (${handle}, ${name}) returning id`);
    if (!team) throw new Error("createTeam: the insert returned no row.");
    await tx.execute(sql`
      with created as (
        insert into ${members} (team_id, user_id, role) values (${team.id}, ${session.userId}, 'owner')
        returning user_id, ${session.id}::uuid as session_id)
      ${recordEach("created", "team-created", session.client, undefined, null, team.id)}`);
    await startTrial(tx, session.userId, team.id);
    return { ok: true, handle };
  });
}

/**
 * Returns a random handle of over 50 bits. It may contain look-alike characters, because users copy
 * a URL instead of typing it.
 */
function newHandle(): string {
  const alphabet = "abcdefghijklmnopqrstuvwxyz0123456789";
  return Array.from({ length: 10 }, () => alphabet[randomInt(alphabet.length)]).join("");
}

export type ListedTeam = {
  handle: string;
  name: string;
  role: TeamRole;
  members: number;
  plan: Plan;
};

/** Returns all teams of a user, by name. */
export async function listTeams(db: Db, { userId }: { userId: string }): Promise<ListedTeam[]> {
  const rows = await db.execute<ListedTeam>(sql`
    select ${teams.handle}, ${teams.name}, own.role,
      (select count(*)::int from ${members} where ${members.teamId} = ${teams.id}) as members,
      ${entitledPlan()} as plan
    from ${members} own join ${teams} on ${teams.id} = own.team_id
    where own.user_id = ${userId}
    order by lower(${teams.name}), ${teams.id}`);
  return [...rows];
}

/**
 * Returns the handle of the team to which /dashboard leads: the last one opened, else the first by
 * name; null if the user has no team. Teams that require more than the session has proved come
 * last, so that one of them does not keep a user from the others.
 */
export async function findHomeTeam(db: Db, session: Session): Promise<string | null> {
  const { userId, strong, data } = session;
  const [team] = await firstTeam(db, { userId, strong, last: data.lastTeam ?? "" });
  return team?.handle ?? null;
}

// Prepared, because every visit to /dashboard waits for it.
const firstTeam = prepared(
  new QueryBuilder()
    .select({ handle: teams.handle })
    .from(members)
    .innerJoin(teams, eq(teams.id, members.teamId))
    .where(eq(members.userId, sql.placeholder("userId")))
    .orderBy(
      sql`${teams.requiresStrong} and not ${sql.placeholder("strong")}::boolean`,
      sql`${teams.handle} = ${sql.placeholder("last")} desc`,
      sql`lower(${teams.name})`,
      teams.id,
    )
    .limit(1),
);

export type ChangeTeam = { ok: true } | { ok: false; reason: "not-allowed" };

/**
 * Renames the team. "not-allowed" also if the actor has lost the role in the meantime. The audit
 * event does not contain the names.
 */
export async function renameTeam(db: Db, scope: MemberScope, name: string): Promise<ChangeTeam> {
  return db.transaction(async (tx) => {
    const locked = await lockTeamAs(tx, scope);
    if (!locked || !can(locked.acting.role, "rename")) return { ok: false, reason: "not-allowed" };
    await tx.execute(sql`
      with changed as (
        update ${teams} set name = ${name} where id = ${scope.teamId} and name <> ${name}
        returning ${scope.session.userId}::uuid as user_id, ${scope.session.id}::uuid as session_id)
      ${recordEach("changed", "team-renamed", scope.actor.client, undefined, null, scope.teamId)}`);
    await addTeamUpdate(tx, scope.teamId);
    return { ok: true };
  });
}

export type RequireStrongMembers = ChangeTeam | { ok: false; reason: "not-strong" };

/**
 * Sets whether members need more than a password to see the team: a second factor or a passkey in
 * the last proof of their session. Takes effect at their next request. "not-strong": the actor's
 * own session is weaker than that, so they would lock themselves out. The caller must require sudo.
 */
export async function requireStrongMembers(
  db: Db,
  scope: MemberScope,
  required: boolean,
): Promise<RequireStrongMembers> {
  if (required && !scope.session.strong) return { ok: false, reason: "not-strong" };
  const kind = required ? "team-strong-required" : "team-strong-optional";
  return db.transaction(async (tx) => {
    const locked = await lockTeamAs(tx, scope);
    if (!locked || !can(locked.acting.role, "require-strong"))
      return { ok: false, reason: "not-allowed" };
    await tx.execute(sql`
      with changed as (
        update ${teams} set requires_strong = ${required}
        where id = ${scope.teamId} and requires_strong <> ${required}
        returning ${scope.session.userId}::uuid as user_id, ${scope.session.id}::uuid as session_id)
      ${recordEach("changed", kind, scope.actor.client, undefined, null, scope.teamId)}`);
    return { ok: true };
  });
}
