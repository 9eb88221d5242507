import { sql } from "drizzle-orm";
import { recordEach } from "@/lib/audit";
import { endBilling } from "@/lib/billing/reconcile";
import type { Db } from "@/lib/db/client";
import { auditEvents } from "@/lib/db/schema/audit-events";
import { members } from "@/lib/db/schema/members";
import { teamKeys } from "@/lib/db/schema/team-keys";
import { teams } from "@/lib/db/schema/teams";
import { users } from "@/lib/db/schema/users";
import { lockTeamAs } from "./locks";
import { addTeamMail } from "./mails/jobs";
import { can } from "./roles";
import type { MemberScope } from "./scope";

/*
 * Deletes teams. Security: everything that gives access to the team (members, invitations, keys) is
 * deleted by cascade with its row, and so are the rows of the product's tables that refer to teams.
 */

export type DeleteTeam = { ok: true } | { ok: false; reason: "not-allowed" };

/**
 * Deletes the team and all its data, and mails the other members. It cannot be undone, and the
 * handle is never given to another team. The caller must require sudo.
 */
export async function deleteTeam(db: Db, scope: MemberScope): Promise<DeleteTeam> {
  const { session, teamId } = scope;
  return db.transaction(async (tx) => {
    const locked = await lockTeamAs(tx, scope, await involvedUsers(tx, teamId));
    if (!locked || !can(locked.acting.role, "delete")) return { ok: false, reason: "not-allowed" };
    const others = await tx.execute<{ userId: string; to: string }>(sql`
      select ${users.id} as "userId", ${users.email} as "to"
      from ${members} join ${users} on ${users.id} = ${members.userId}
      where ${members.teamId} = ${teamId} and ${members.userId} <> ${session.userId}`);
    await endBilling(tx, teamId);
    // The event cannot refer to the deleted team, so it contains the handle.
    await tx.execute(sql`
      with deleted as (
        delete from ${teams} where id = ${teamId}
        returning handle, ${session.userId}::uuid as user_id, ${session.id}::uuid as session_id)
      ${recordEach("deleted", "team-deleted", scope.actor.client, sql`jsonb_build_object('handle', handle)`)}`);
    const { team, acting } = locked;
    for (const other of others)
      await addTeamMail(tx, "team-deleted", { ...other, team: team.name, by: acting.email });
    return { ok: true };
  });
}

/**
 * Returns the users named in the team's events and keys, former members included. Deleting such an
 * account changes these rows too, in another order than the cascade from the team, so the two could
 * deadlock. With these users locked first, one of the two waits before it has changed any row.
 */
export async function involvedUsers(tx: Db, teamId: string): Promise<string[]> {
  const rows = await tx.execute<{ id: string }>(sql`
    select user_id as id from ${auditEvents} where team_id = ${teamId} and user_id is not null
    union select actor_id from ${auditEvents} where team_id = ${teamId} and actor_id is not null
    union select created_by from ${teamKeys} where team_id = ${teamId} and created_by is not null`);
  return rows.map(({ id }) => id);
}
