import { sql } from "drizzle-orm";
import type { TeamEventKind } from "@/lib/audit";
import type { Db } from "@/lib/db/client";
import { auditEvents } from "@/lib/db/schema/audit-events";
import { members } from "@/lib/db/schema/members";
import { users } from "@/lib/db/schema/users";
import type { TeamScope } from "./scope";

/*
 * The audit log of a team as its members see it: the act, the actor and the user concerned.
 * Security: no IP address, user agent or session is selected. The emails of former members, which
 * the team may no longer see, and the identity of an administrator who acted are hidden.
 */

/** `email` is null if the user is no longer a member. */
export type EventUser = { name: string; email: string | null };

export type TeamEvent = {
  id: number;
  at: Date;
  kind: TeamEventKind;
  /** The user concerned. Null if the account is deleted, or if the event concerns no user. */
  user: EventUser | null;
  /** Who acted, if not `user`. "deleted": a user whose account is deleted. */
  actor: EventUser | "administrator" | "deleted" | null;
  /** What some kinds of event are about: the role that was given, the first characters of a key. */
  about: { role: string | null; prefix: string | null };
};

/**
 * Returns events, newest first. `before` is the id of the last event on the previous page. The
 * caller must check the right to see them.
 */
export async function listTeamEvents(
  db: Db,
  { teamId }: TeamScope,
  { before, limit }: { before?: number; limit: number },
): Promise<TeamEvent[]> {
  // An event has a session if its own user acted. In the two kinds below, an event without session
  // and actor was caused by another user, whose account is deleted.
  const rows = await db.execute<Omit<TeamEvent, "at"> & { at: string }>(sql`
    select page.id, page.at, page.kind,
      ${named("concerned", "concerned_member")} as user,
      case when page.detail ? 'by' then '"administrator"'::json
        when page.actor_id is not null then ${named("actors", "acting_member")}
        when page.session_id is null and page.user_id is not null
          and page.kind in ('team-member-removed', 'team-role-changed') then '"deleted"'::json end as actor,
      json_build_object('role', page.detail->>'role', 'prefix', page.detail->>'prefix') as about
    from (
      select id, at, kind, user_id, actor_id, session_id, detail from ${auditEvents}
      where team_id = ${teamId} ${before === undefined ? sql`` : sql`and id < ${before}`}
      order by id desc limit ${limit}) page
    left join ${users} concerned on concerned.id = page.user_id
    left join ${members} concerned_member
      on concerned_member.team_id = ${teamId} and concerned_member.user_id = page.user_id
    left join ${users} actors on actors.id = page.actor_id
    left join ${members} acting_member
      on acting_member.team_id = ${teamId} and acting_member.user_id = page.actor_id
    order by page.id desc`);
  return rows.map((row) => ({ ...row, id: Number(row.id), at: new Date(row.at) }));
}

const named = (user: string, member: string) =>
  sql.raw(`
  case when ${user}.id is not null then json_build_object('name', ${user}.name,
    'email', case when ${member}.user_id is not null then ${user}.email end) end`);
