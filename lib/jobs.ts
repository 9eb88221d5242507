import { sql } from "drizzle-orm";
import type { Db } from "./db/client";

/*
 * Owns how work is put off: a job is a row of graphile-worker's queue in the same Postgres, added in
 * the transaction that causes it. So it happens exactly if the change did, survives a crash, and is
 * tried again with growing pauses (some 25 times over three days). worker.ts carries them out; its
 * `Jobs` names every task and its payload. A payload names users and never holds a secret: links are
 * made when the mail is rendered. Mails are added with `addMail` (auth/mails/jobs.ts).
 */

/** Give it the transaction of the change: then the job exists exactly if the change does. */
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
  /** One job of a key waits at a time: a new one replaces it. One that runs already is not touched. */
  key?: string | null;
  /** Jobs of a queue run one after the other. */
  queue?: string | null;
};

/**
 * For the deletion of an account, in its transaction: removes every job that names the user by id or
 * by email, also those that failed for good. One that a worker has begun is finished, and its row is
 * gone. The queue's public functions do not look into payloads, so its table is read by name.
 */
export async function deleteJobsAbout(db: Db, user: { id: string; email: string }): Promise<void> {
  await db.execute(sql`
    delete from graphile_worker._private_jobs
    where payload->>'userId' = ${user.id}::text or lower(payload->>'to') = lower(${user.email}::text)`);
}

/** Housekeeping: jobs that were given up `retention` milliseconds ago. Their payloads name users. */
export async function deleteGivenUpJobs(db: Db, retention: number): Promise<void> {
  await db.execute(sql`
    delete from graphile_worker._private_jobs
    where attempts >= max_attempts and locked_at is null
      and updated_at < now() - ${retention / 1000} * interval '1 second'`);
}

/**
 * A recurring job: due `interval` milliseconds from now, unless one of its name is waiting
 * already. However often it is asked for, it is done that often and no more.
 */
export async function addRecurringJob(db: Db, name: string, interval: number): Promise<void> {
  await db.execute(sql`
    select from graphile_worker.add_job(${name}::text, '{}'::json,
      run_at => now() + ${interval / 1000} * interval '1 second',
      job_key => ${name}::text, job_key_mode => 'preserve_run_at')`);
}
