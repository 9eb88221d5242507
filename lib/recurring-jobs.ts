import { reconcile } from "./billing/reconcile";
import { cleanUp, cleanUpNightly } from "./clean-up";
import type { Db } from "./db/client";
import { days, hours } from "./time";

/*
 * Every recurring job, one per line. From this table, worker.ts derives its crontab, its tasks, and
 * the jobs that `drainJobs` adds on a host without a long-running process; there, `interval` is the
 * minimum time between two runs. A job may run in two instances at once, and late.
 */

export const recurringJobs = [
  { name: "clean-up", cron: "0 * * * *", interval: hours(1), run: cleanUp },
  { name: "clean-up-nightly", cron: "30 3 * * *", interval: days(1), run: cleanUpNightly },
  { name: "billing-reconcile", cron: "0 4 * * *", interval: days(1), run: reconcile },
] as const satisfies {
  name: string;
  cron: string;
  interval: number;
  run: (db: Db) => Promise<void>;
}[];

export type RecurringJobName = (typeof recurringJobs)[number]["name"];
