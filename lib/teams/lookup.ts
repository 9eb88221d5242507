import { eq, sql } from "drizzle-orm";
import { QueryBuilder } from "drizzle-orm/pg-core";
import { unknownClient } from "@/lib/audit";
import { hashToken, isToken } from "@/lib/auth/secrets";
import {
  isPresentedAndLive,
  parsed,
  type Session,
  sessionColumns,
} from "@/lib/auth/sessions/lookup";
import { entitledPlan } from "@/lib/billing/entitlements";
import type { Db } from "@/lib/db/client";
import { prepared } from "@/lib/db/prepared";
import { members } from "@/lib/db/schema/members";
import { sessions } from "@/lib/db/schema/sessions";
import { teams } from "@/lib/db/schema/teams";
import { users } from "@/lib/db/schema/users";
import type { Client } from "@/lib/http";
import { teamPolicy } from "./policy";
import type { FoundTeam } from "./scope";

/*
 * Owns the lookup of a session together with the team in the URL. The security fact: the membership is
 * joined at every request, so a member who was removed finds no team at the next one.
 */

/** A session, the team of the URL where its user is a member, and the teams of the switcher. */
export type TeamSession = Session & {
  team: FoundTeam | null;
  teams: { handle: string; name: string }[];
};

/** The shape of a handle. Everything else is refused before any query. */
export function isHandle(value: unknown): value is string {
  return typeof value === "string" && /^[a-z0-9]{10}$/.test(value);
}

/**
 * As `getSession`, with the team and the switcher: still one prepared statement and one round trip. `team`
 * is null for an unknown handle as for another user's team.
 */
export async function getTeamSession(
  db: Db,
  token: string,
  handle: string,
  client: Client = unknownClient,
): Promise<TeamSession | null> {
  if (!isToken(token)) return null;
  const [row] = await findTeamSession(db, { tokenHash: hashToken(token), handle });
  if (!row) return null;
  const teams = (row.teams ?? []).map(toTeam);
  return {
    ...{ ...row, ...parsed(row, client) },
    team: teams.find((each) => each.handle === handle) ?? null,
    teams: teams.map(({ handle, name }) => ({ handle, name })).sort(byName),
  };
}

type MembershipRow = [
  ...[id: string, handle: string, name: string, role: FoundTeam["role"]],
  ...[plan: FoundTeam["plan"], requiresStrong: boolean],
];

function toTeam([id, handle, name, role, plan, requiresStrong]: MembershipRow): FoundTeam {
  return { id, handle, name, role, plan, requiresStrong };
}

const collator = new Intl.Collator("en");

function byName(a: { name: string }, b: { name: string }): number {
  return collator.compare(a.name, b.name);
}

// The memberships of the session's user; that of the URL is always among them. Arrays, sorted by name above
// and not here: with objects, sorted once more, the whole lookup took a quarter longer (tests/bench/teams.ts).
const memberships = sql<MembershipRow[] | null>`(
  select json_agg(json_build_array(id, handle, name, role, plan, requires_strong)) from (
    select ${teams.id}, ${teams.handle}, ${teams.name}, ${members.role}, ${entitledPlan} as plan,
      ${teams.requiresStrong}
    from ${members} join ${teams} on ${teams.id} = ${members.teamId}
    where ${members.userId} = ${users.id}
    order by ${teams.handle} = ${sql.placeholder("handle")} desc, lower(${teams.name}), ${teams.id}
    limit ${sql.raw(`${teamPolicy.switcher}`)}) listed)`;

const findTeamSession = prepared(
  new QueryBuilder()
    .select({ ...sessionColumns, teams: memberships })
    .from(sessions)
    .innerJoin(users, eq(users.id, sessions.userId))
    .where(isPresentedAndLive),
);
