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
import { billedWhere, entitledPlan, isPlanAtRisk } from "@/lib/billing/entitlements";
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
 * Looks up a session together with the team in the URL. Security: the membership is joined at every
 * request, so a removed member finds no team at the next one.
 */

/**
 * A session, the team in the URL if the user is a member, and the teams of the switcher.
 * `planAtRisk` means that a page must check whether to show a message about the plan.
 */
export type TeamSession = Session & {
  team: (FoundTeam & { planAtRisk: boolean }) | null;
  teams: { handle: string; name: string }[];
};

/** Returns whether the value has the form of a handle. Others are refused before any query. */
export function isHandle(value: unknown): value is string {
  return typeof value === "string" && /^[a-z0-9]{10}$/.test(value);
}

/**
 * Like `getSession`, with the team and the switcher, still in one prepared statement and one round
 * trip. `team` is null both for an unknown handle and for a team of other users.
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
  const rows = row.teams ?? [];
  const found = rows.find(([ofRow]) => ofRow === handle);
  return {
    ...{ ...row, ...parsed(row, client) },
    team: found ? toTeam(found) : null,
    teams: rows.map(([handle, name]) => ({ handle, name })).sort(byName),
  };
}

type MembershipRow = [
  ...[handle: string, name: string, id: string, role: FoundTeam["role"]],
  // Null in every row except that of the URL's team, and only read there.
  ...[plan: FoundTeam["plan"], planAtRisk: "at risk" | null],
  requiresStrong: "strong" | null,
];

function toTeam(row: MembershipRow): NonNullable<TeamSession["team"]> {
  const [handle, name, id, role, plan, planAtRisk, requiresStrong] = row;
  return {
    ...{ id, handle, name, role, plan },
    ...{ planAtRisk: planAtRisk !== null, requiresStrong: requiresStrong !== null },
  };
}

const collator = new Intl.Collator("en");

function byName(a: { name: string }, b: { name: string }): number {
  return collator.compare(a.name, b.name);
}

// The memberships of the session's user, always including the URL's team, the only one with a plan.
// They are arrays, and `byName` above sorts them: with objects that were also sorted here, the
// lookup took a quarter longer (tests/bench).
const memberships = () => sql<MembershipRow[] | null>`(
  select json_agg(listed.team) from (
    select array[${teams.handle}, ${teams.name}, ${teams.id}::text, ${members.role},
      case when ${isOfUrl} then ${entitledPlan(sql`billed.plan`)} end,
      case when ${isOfUrl} and ${isPlanAtRisk()} then 'at risk' end,
      case when ${teams.requiresStrong} then 'strong' end] as team
    from ${members} join ${teams} on ${teams.id} = ${members.teamId}
      cross join lateral ${billedWhere(isOfUrl)} billed
    where ${members.userId} = ${users.id}
    order by ${isOfUrl} desc, ${teams.name} collate "C", ${teams.id}
    limit ${sql.raw(`${teamPolicy.switcher}`)}) listed)`;

const isOfUrl = sql`${teams.handle} = ${sql.placeholder("handle")}`;

const findTeamSession = prepared(() =>
  new QueryBuilder()
    .select({ ...sessionColumns, teams: memberships() })
    .from(sessions)
    .innerJoin(users, eq(users.id, sessions.userId))
    .where(isPresentedAndLive),
);
