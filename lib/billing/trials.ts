import { sql } from "drizzle-orm";
import type { Db } from "@/lib/db/client";
import { trials } from "@/lib/db/schema/billing";
import { teams } from "@/lib/db/schema/teams";
import { interval } from "@/lib/db/sql";
import { billingIsOn } from "./entitlements";
import { addTrialNotice } from "./jobs";
import { billingPolicy } from "./policy";

/*
 * Owns the trial: some days of a paid plan without a card, which the provider never hears of. The security
 * fact: two unique columns allow it once for a user and once for a team, so new teams bring no new trial.
 */

/** For `createTeam`, in its transaction. False where the user has had one, or billing is off. */
export async function startTrial(tx: Db, userId: string, teamId: string): Promise<boolean> {
  if (!billingIsOn()) return false;
  const started = await tx.execute(sql`
    with started as (
      insert into ${trials} (user_id, team_id) values (${userId}, ${teamId})
      on conflict do nothing returning team_id)
    update ${teams} set trial_ends_at = now() + ${interval(billingPolicy.trial)}
    from started where ${teams.id} = started.team_id returning ${teams.id}`);
  if (started.length === 0) return false;
  await addTrialNotice(tx, teamId);
  return true;
}
