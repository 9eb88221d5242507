import { EventEmitter } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import {
  type JobHelpers,
  Logger,
  type LogLevel,
  parseCrontab,
  type Runner,
  type RunnerOptions,
  run,
  runOnce,
  type TaskList,
  type WorkerEvents,
} from "graphile-worker";
import { renderMail } from "@/lib/auth/mails/jobs";
import type { MailJob } from "@/lib/auth/mails/registry";
import type { BillingJobs } from "@/lib/billing/jobs";
import { endDeleted, updateTeam } from "@/lib/billing/reconcile";
import { requireBillingProvider } from "@/lib/billing/stripe";
import { syncCustomer } from "@/lib/billing/sync";
import { notifyOwners } from "@/lib/teams/billing-notices";
import { renderTeamMail } from "@/lib/teams/mails/jobs";
import type { TeamMailJob } from "@/lib/teams/mails/registry";
import { connect, type Db, database } from "./db/client";
import { databaseEnv, env } from "./env";
import { addRecurringJob } from "./jobs";
import { sendMail } from "./mail/send";
import { type RecurringJobName, recurringJobs } from "./recurring-jobs";
import { seconds } from "./time";

/*
 * Runs the jobs of jobs.ts inside the server, in any number of instances: the queue gives
 * each job to one of them. LISTEN starts a job at once; the poll is for jobs that wait for a
 * retry. A job that fails is logged with its id, and stays in the table until a retry
 * succeeds or the last one has failed.
 */

/** Every task and its payload. */
type Jobs = { mail: MailJob; "team-mail": TeamMailJob } & BillingJobs & {
    [Name in RecurringJobName]: Record<string, never>;
  };

const tasks: { [Name in keyof Jobs]: (payload: Jobs[Name]) => Promise<void> } = {
  async mail(payload) {
    const mail = await renderMail(database(), payload, env().APP_URL);
    if (mail) await sendMail(mail);
  },
  async "team-mail"(payload) {
    const mail = await renderTeamMail(database(), payload, env().APP_URL);
    if (mail) await sendMail(mail);
  },
  ...billingTasks(),
  ...recurringTasks(),
};

function billingTasks(): {
  [Name in keyof BillingJobs]: (payload: BillingJobs[Name]) => Promise<void>;
} {
  return {
    "billing-sync": ({ customer }) => syncCustomer(database(), requireBillingProvider(), customer),
    "billing-team": ({ team }) => updateTeam(database(), requireBillingProvider(), team),
    "billing-end": ({ row }) => endDeleted(database(), requireBillingProvider(), row),
    "billing-notice": (payload) => notifyOwners(database(), payload),
  };
}

function recurringTasks(): Record<RecurringJobName, () => Promise<void>> {
  const entries = recurringJobs.map(({ name, run }) => [name, () => runUnlimited(run)]);
  return Object.fromEntries(entries); // a task per name of the table
}

/**
 * Runs a recurring job on connections without the limits of requests, because the nightly clean-up
 * reads whole tables.
 */
async function runUnlimited(run: (db: Db) => Promise<void>): Promise<void> {
  const { db, sql } = connect(databaseEnv().DATABASE_URL);
  await run(db).finally(() => sql.end());
}

const crontab = recurringJobs.map(({ name, cron }) => `${cron} ${name}`).join("\n");

function options(): RunnerOptions {
  const { DATABASE_URL, DATABASE_DIRECT_URL } = databaseEnv();
  return {
    connectionString: DATABASE_DIRECT_URL ?? DATABASE_URL,
    taskList: abortable(tasks),
    parsedCronItems: parseCrontab(crontab),
    concurrency: 2,
    maxPoolSize: 4,
    noHandleSignals: true,
    // Turns batches on, even if each is of one job. Without them, Graphile 0.17 closes
    // its pool without waiting for the statement that completes a job: the job keeps its
    // lock, and is run again.
    preset: { worker: { completeJobBatchDelay: 0, failJobBatchDelay: 0 } },
    logger: new Logger(() => log),
  };
}

/**
 * Makes a job fail that is still running five seconds after the stop (Graphile's default).
 * Otherwise it would keep its lock when the process ends, and wait four hours for a retry.
 */
function abortable(all: typeof tasks): TaskList {
  // The queue knows only JSON: `addMail` types the payload of its task.
  const entries = Object.entries(all as TaskList).map(([name, task]) => [
    name,
    async (payload: unknown, helpers: JobHelpers) => {
      const done = new AbortController();
      // Not `helpers.abortPromise`: it lives as long as the worker, and would keep
      // what each job adds to it.
      const aborted = new Promise<never>((_, reject) =>
        helpers.abortSignal?.addEventListener("abort", () => reject(helpers.abortSignal?.reason), {
          signal: done.signal,
        }),
      );
      try {
        await Promise.race([task?.(payload, helpers), aborted]);
      } finally {
        done.abort();
      }
    },
  ]);
  return Object.fromEntries(entries); // a task per name
}

/**
 * Runs jobs until it is stopped, and starts again after the database was unavailable.
 * `pollInterval`, in milliseconds, is how often it looks for jobs that wait for a retry. Stopping
 * waits for the running jobs, and gives back those that take too long.
 */
export function startWorker(pollInterval = seconds(5)): { stop(): Promise<void> } {
  let runner: Runner | undefined;
  const stopping = new AbortController();
  const working = work();
  return {
    async stop() {
      stopping.abort();
      await runner?.stop().catch(() => {}); // it may have stopped by itself
      await working;
    },
  };

  async function work(): Promise<void> {
    while (!stopping.signal.aborted) {
      try {
        runner = await run({ ...options(), pollInterval });
        if (stopping.signal.aborted) await runner.stop();
        await runner.promise;
      } catch (error) {
        console.error("Jobs wait for the database:", message(error));
      }
      runner = undefined;
      await sleep(seconds(2), undefined, { ref: false, signal: stopping.signal }).catch(() => {});
    }
  }
}

/** Runs the jobs that are due and returns how many, for hosts without a long-running process. */
export async function drainJobs(): Promise<{ done: number; failed: number }> {
  const events: WorkerEvents = new EventEmitter();
  const counts = { done: 0, failed: 0 };
  events.on("job:success", () => {
    counts.done++;
  });
  events.on("job:error", () => {
    counts.failed++;
  });
  // Where a worker runs, the crontab does this.
  for (const { name, interval } of recurringJobs) await addRecurringJob(database(), name, interval);
  await runOnce({ ...options(), events });
  return counts;
}

function log(level: LogLevel | string, text: string): void {
  if (level === "error") console.error(text);
  else if (level === "warning") console.warn(text);
}

function message(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
