import { sql } from "drizzle-orm";
import type { TeamEventKind } from "@/lib/audit";
import type { Db } from "@/lib/db/client";
import { auditEvents } from "@/lib/db/schema/audit-events";
import { members } from "@/lib/db/schema/members";
import { users } from "@/lib/db/schema/users";
import type { TeamScope } from "./scope";

/*
 * Owns the audit log as a team sees it: the act, the actor and the member. The security facts: no IP address,
 * user agent or session is selected; and the email of a former member is not the team's to see any more, nor
 * which administrator of the product acted.
 */

/** `email` is null where the user is no member any more. */
export type EventUser = { name: string; email: string | null };

export type TeamEvent = {
  id: number;
  at: Date;
  kind: TeamEventKind;
  /** The user it concerns. Null: the account is deleted. */
  user: EventUser | null;
  /** Who acted, where that was another user. "deleted": their account is. */
  actor: EventUser | "administrator" | "deleted" | null;
  /** What it was about, where the kind says so: the role that was given, the first characters of a key. */
  about: { role: string | null; prefix: string | null };
};

/** Newest first; `before` is the id where the page before it ended. The caller answers for the right. */
export async function listTeamEvents(
  db: Db,
  { teamId }: TeamScope,
  { before, limit }: { before?: number; limit: number },
): Promise<TeamEvent[]> {
  // An event of the member's own has their session. Without it another acted, also where no account says so.
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
