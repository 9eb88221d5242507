import { sql } from "drizzle-orm";
import type { Client } from "./audit";
import type { Db } from "./db/client";

/*
 * Owns how work is put off: a job is a row of graphile-worker's queue in the same Postgres, added in
 * the transaction that causes it. So it happens exactly if the change did, survives a crash, and is
 * tried again with growing pauses (some 25 times over three days). worker.ts carries them out.
 *
 * A payload names people and never holds a secret: links are made when the mail is written.
 */

/**
 * `to` is the address as it was when the thing happened: a mail may wait for hours, and an attacker
 * who changes the address meanwhile must not get the warning that was meant for the owner. `event` is
 * the audit event of the thing: a restored email or a suspension after it ends the mail's link.
 */
export type MailJob =
  | { mail: "sign-up"; to: string }
  | { mail: "password-reset"; to: string; by?: "administrator" }
  | { mail: "confirm-browser"; to: string }
  | { mail: "password-changed"; userId: string; to: string; client: Client; at: string }
  | { mail: "email-change"; userId: string; to: string; authVersion: number }
  | {
      mail: "email-changed";
      userId: string;
      to: string;
      client: Client;
      at: string;
      event: number;
    }
  | {
      mail: "new-device";
      userId: string;
      to: string;
      client: Client;
      at: string;
      event: number;
    }
  | {
      mail: "api-key-created";
      userId: string;
      to: string;
      /** What its owner calls it. */
      key: string;
      client: Client;
      at: string;
    }
  | {
      mail: "refresh-token-reused";
      userId: string;
      to: string;
      client: Client;
      at: string;
    }
  | { mail: "role-changed"; userId: string; to: string; role: "user" | "admin" }
  | { mail: "suspended"; userId: string; to: string }
  | { mail: "reinstated"; userId: string; to: string }
  | { mail: "logged-out"; userId: string; to: string; devices: "one" | "all" }
  | { mail: "farewell"; to: string; name: string };

export type Jobs = {
  mail: MailJob;
  "clean-up": Record<string, never>;
  "clean-up-nightly": Record<string, never>;
};

/** Give it the transaction of the change: then the job exists exactly if the change does. */
export async function addJob<Name extends keyof Jobs>(
  db: Db,
  name: Name,
  payload: Jobs[Name],
): Promise<void> {
  await db.execute(sql`
    select from graphile_worker.add_job(${name}::text, ${JSON.stringify(payload)}::text::json)`);
}

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

/** Housekeeping: jobs that were given up `retention` milliseconds ago. Their payloads name people. */
export async function deleteGivenUpJobs(db: Db, retention: number): Promise<void> {
  await db.execute(sql`
    delete from graphile_worker._private_jobs
    where attempts >= max_attempts and locked_at is null
      and updated_at < now() - ${retention / 1000} * interval '1 second'`);
}

/**
 * A job that comes round: due `interval` milliseconds from now, unless one of its name is waiting
 * already. However often it is asked for, it is done that often and no more.
 */
export async function addRecurringJob(
  db: Db,
  name: "clean-up" | "clean-up-nightly",
  interval: number,
): Promise<void> {
  await db.execute(sql`
    select from graphile_worker.add_job(${name}::text, '{}'::json,
      run_at => now() + ${interval / 1000} * interval '1 second',
      job_key => ${name}::text, job_key_mode => 'preserve_run_at')`);
}
