import { sql } from "drizzle-orm";
import type { Db } from "./db/client";

/*
 * Background jobs. A job is a row in graphile-worker's queue in the same Postgres, added in the
 * transaction that causes it. So it runs exactly if the change commits, survives a crash, and is
 * retried with growing pauses (some 25 times over three days). worker.ts runs the jobs; its `Jobs`
 * type lists every task and its payload. A payload names users and never contains a secret: links
 * are made when the mail is rendered. Mails are added with `addMail` (auth/mails/jobs.ts).
 */

/**
 * Adds a job. Pass the transaction that makes the change, so that the job is added only if the
 * change commits.
 */
export async function addJob(
  db: Db,
  task: string,
  payload: object,
  { delay = 0, key = null, queue = null }: JobOptions = {},
): Promise<void> {
  await db.execute(sql`
    select from graphile_worker.add_job(${task}::text, ${JSON.stringify(payload)}::text::json,
      run_at => now() + ${delay / 1000} * interval '1 second', queue_name => ${queue}::text,
      job_key => ${key}::text)`);
}

type JobOptions = {
  /** Milliseconds until it is due. */
  delay?: number;
  /**
   * At most one job per key waits: a new one replaces it. A job that is already
   * running is not affected.
   */
  key?: string | null;
  /** Jobs of a queue run one after the other. */
  queue?: string | null;
};

/**
 * Deletes every job that names the user by id or by email, also those that failed for good.
 * Called in the transaction that deletes the account. A job that a worker has begun is
 * finished, and its row is gone. The queue's public functions do not look into payloads, so
 * this names the queue's table.
 */
export async function deleteJobsAbout(db: Db, user: { id: string; email: string }): Promise<void> {
  await db.execute(sql`
    delete from graphile_worker._private_jobs
    where payload->>'userId' = ${user.id}::text or lower(payload->>'to') = lower(${user.email}::text)`);
}

/**
 * Housekeeping: deletes jobs that were given up more than `retention` milliseconds ago, because
 * their payloads name users.
 */
export async function deleteGivenUpJobs(db: Db, retention: number): Promise<void> {
  await db.execute(sql`
    delete from graphile_worker._private_jobs
    where attempts >= max_attempts and locked_at is null
      and updated_at < now() - ${retention / 1000} * interval '1 second'`);
}

/**
 * Adds a recurring job, due `interval` milliseconds from now, unless one of its name is already
 * waiting. Calling it repeatedly does not run the job more often.
 */
export async function addRecurringJob(db: Db, name: string, interval: number): Promise<void> {
  await db.execute(sql`
    select from graphile_worker.add_job(${name}::text, '{}'::json,
      run_at => now() + ${interval / 1000} * interval '1 second',
      job_key => ${name}::text, job_key_mode => 'preserve_run_at')`);
}
