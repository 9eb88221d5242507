import { sql } from "drizzle-orm";
import { type AdminResult, administer, recorded } from "@/lib/admin/actions";
import type { Session } from "@/lib/auth/sessions/lookup";
import type { Db } from "@/lib/db/client";
import { teams } from "@/lib/db/schema/teams";
import { addNotice } from "./jobs";
import type { PaidPlan } from "./plans";

/*
 * Plans that administrators give to teams for free. Security: the right is checked in the
 * transaction that writes (lib/admin/actions.ts), and the audit log names the administrator.
 */

/**
 * Gives a plan until the end of `lastDay` (yyyy-mm-dd, UTC), in place of an earlier gift. The
 * owners get a mail.
 */
export function givePlan(
  db: Db,
  admin: Session,
  teamId: string,
  gift: { plan: PaidPlan; lastDay: string },
): Promise<AdminResult> {
  const { plan, lastDay } = gift;
  return change(db, admin, async (tx) => {
    const given = await tx.execute(sql`
      with changed as (
        update ${teams} set comped_plan = ${plan},
          comped_until = (${lastDay}::date + 1)::timestamp at time zone 'UTC' - interval '1 second'
        where id = ${teamId} returning null::uuid as user_id, null::uuid as session_id),
      recorded as (${recorded(
        "changed",
        "team-plan-given",
        admin,
        sql`jsonb_build_object('plan', ${plan}::text, 'until', ${lastDay}::text)`,
        teamId,
      )})
      select from changed`);
    if (given.length === 0) return false;
    await addNotice(tx, teamId, "plan-given");
    return true;
  });
}

/** Ends the gift at once. A subscription or trial of the team continues. */
export function takePlanBack(db: Db, admin: Session, teamId: string): Promise<AdminResult> {
  return change(db, admin, async (tx) => {
    const taken = await tx.execute(sql`
      with changed as (
        update ${teams} set comped_plan = null, comped_until = null
        where id = ${teamId} and comped_plan is not null
        returning null::uuid as user_id, null::uuid as session_id),
      recorded as (${recorded("changed", "team-plan-taken-back", admin, undefined, teamId)})
      select from changed`);
    return taken.length > 0;
  });
}

/** Returns "gone" if `work` found nothing to change. */
function change(db: Db, admin: Session, work: (tx: Db) => Promise<boolean>): Promise<AdminResult> {
  // The action concerns no other user, so the administrator is passed as the target.
  return administer(db, admin, "give-plan", admin.userId, async (tx) =>
    (await work(tx)) ? { ok: true } : { ok: false, reason: "gone" },
  );
}
