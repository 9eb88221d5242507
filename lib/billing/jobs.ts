import type { Db } from "@/lib/db/client";
import { addJob } from "@/lib/jobs";
import { billingIsOn } from "./entitlements";
import { billingPolicy } from "./policy";

/*
 * Owns how billing's work is put off: each function adds a job in the transaction that causes it, and the
 * worker carries it out as often as it takes (lib/worker.ts). Nothing is added where billing is off.
 */

export type BillingJobs = {
  /** Fetches the state of a customer. */
  "billing-sync": { customer: string };
  /** Tells the provider the name of a team, the email of its first owner and how many members it has. */
  "billing-team": { team: string };
  /** Ends what runs at the provider for a team that was deleted: the id of its row in `billing_customers`. */
  "billing-end": { row: string };
  /** A mail to each owner of the team, where it is still true then. */
  "billing-notice": { team: string; notice: BillingNotice };
};

export type BillingNotice =
  | "payment-failed"
  | "payment-failed-reminder"
  | "plan-ended"
  | "plan-given"
  | "second-subscription"
  | "trial-ending";

/** `delays` in milliseconds; without any, at once. */
export async function addSync(
  db: Db,
  customer: string,
  delays: readonly number[] = [0],
): Promise<void> {
  for (const delay of delays)
    await add(
      db,
      "billing-sync",
      { customer },
      { key: `${customer}:${delay}`, queue: customer, delay },
    );
}

/** Give it the transaction that changes the team's name, its members or its owners. */
export function addTeamUpdate(db: Db, team: string): Promise<void> {
  return add(
    db,
    "billing-team",
    { team },
    { key: team, queue: team, delay: billingPolicy.updateDelay },
  );
}

export function addEnd(db: Db, row: string): Promise<void> {
  return add(db, "billing-end", { row }, { key: row, queue: row, delay: 0 });
}

/** A failed payment is mailed again, while there is time to mend it. */
export async function addNotice(db: Db, team: string, notice: BillingNotice): Promise<void> {
  await addNoticeIn(db, team, notice, 0);
  if (notice !== "payment-failed") return;
  for (const delay of billingPolicy.reminders)
    await addNoticeIn(db, team, "payment-failed-reminder", delay);
}

/** Mailed `remindBefore` the end of the trial. */
export function addTrialNotice(db: Db, team: string): Promise<void> {
  return addNoticeIn(db, team, "trial-ending", billingPolicy.trial - billingPolicy.remindBefore);
}

function addNoticeIn(db: Db, team: string, notice: BillingNotice, delay: number): Promise<void> {
  const key = `${team}:${notice}:${delay}`;
  return add(db, "billing-notice", { team, notice }, { key, queue: team, delay });
}

async function add<Name extends keyof BillingJobs>(
  db: Db,
  name: Name,
  payload: BillingJobs[Name],
  { key, queue, delay }: { key: string; queue: string; delay: number },
): Promise<void> {
  if (!billingIsOn()) return;
  await addJob(db, name, payload, { delay, key: `${name}:${key}`, queue: `${name}:${queue}` });
}
