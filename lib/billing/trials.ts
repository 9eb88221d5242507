import { sql } from "drizzle-orm";
import type { Db } from "@/lib/db/client";
import { trials } from "@/lib/db/schema/billing";
import { teams } from "@/lib/db/schema/teams";
import { interval } from "@/lib/db/sql";
import { billingIsOn } from "./entitlements";
import { addTrialNotice } from "./jobs";
import { billingPolicy } from "./policy";

/*
 * The trial: some days of a paid plan without a card and without the provider. Security: two unique
 * columns allow it once per user and once per team, so new teams bring no new trial.
 */

/**
 * Starts the trial, in the transaction of `createTeam`. Returns false if the user has had one, or
 * billing is off.
 */
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
