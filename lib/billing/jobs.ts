import type { Db } from "@/lib/db/client";
import { addJob } from "@/lib/jobs";
import { billingIsOn } from "./entitlements";
import { billingPolicy } from "./policy";

/*
 * Background jobs of billing: each function adds a job in the transaction that causes it, and the
 * worker runs it, again if it fails (lib/worker.ts). No job is added while billing is off.
 */

export type BillingJobs = {
  /** Fetches the state of a customer. */
  "billing-sync": { customer: string };
  /** Sends the provider a team's name, its first owner's email and its number of members. */
  "billing-team": { team: string };
  /** Ends a deleted team's checkout and subscriptions. `row` is its id in `billing_customers`. */
  "billing-end": { row: string };
  /** Mails each owner of the team, if the notice is still true then. */
  "billing-notice": { team: string; notice: BillingNotice };
};

export type BillingNotice =
  | "payment-failed"
  | "payment-failed-reminder"
  | "plan-ended"
  | "plan-given"
  | "second-subscription"
  | "trial-ending";

/** Adds a sync after each of the `delays`, in milliseconds; by default at once. */
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

/** Pass the transaction that changes the team's name, its members or its owners. */
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

/** Adds the mails of a notice. A failed payment gets reminders while there is time to fix it. */
export async function addNotice(db: Db, team: string, notice: BillingNotice): Promise<void> {
  await addNoticeIn(db, team, notice, 0);
  if (notice !== "payment-failed") return;
  for (const delay of billingPolicy.reminders)
    await addNoticeIn(db, team, "payment-failed-reminder", delay);
}

/** Adds the notice that is mailed when `remindBefore` of the trial is left. */
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
