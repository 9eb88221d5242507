import { sql } from "./database";

/* Reads the tables without the code under test. */

export type SessionRow = {
  id: string;
  token_hash: Buffer | null;
  user_agent: string | null;
  ip: string | null;
  data: Record<string, unknown>;
  /** Times are in seconds since 1970. */
  authenticated_at: number;
  last_seen_at: number;
  expires_at: number;
};

/** Returns a user's rows in `sessions`, live or not, oldest first. */
export async function sessionRows(user: { id: string }): Promise<SessionRow[]> {
  return sql<SessionRow[]>`
    select id, token_hash, user_agent, ip, data,
      extract(epoch from authenticated_at)::float8 as authenticated_at,
      extract(epoch from last_seen_at)::float8 as last_seen_at,
      extract(epoch from expires_at)::float8 as expires_at
    from sessions where user_id = ${user.id} order by created_at, id`;
}

export type EventRow = {
  kind: string;
  session_id: string | null;
  ip: string | null;
  user_agent: string | null;
  detail: Record<string, unknown>;
};

/** Returns a user's audit events, oldest first. */
export async function eventRows(user: { id: string }): Promise<EventRow[]> {
  return sql<EventRow[]>`
    select kind, session_id, ip, user_agent, detail
    from audit_events where user_id = ${user.id} order by id`;
}

export async function eventKinds(user: { id: string }): Promise<string[]> {
  return (await eventRows(user)).map(({ kind }) => kind);
}

/** Inserts web sessions with unknown tokens, the n-th last seen n minutes ago. */
export async function addSessions(
  user: { id: string },
  count: number,
  expiresIn = "30 days",
): Promise<void> {
  await sql`
    insert into sessions (user_id, token_hash, auth_version, amr, persistent, last_seen_at, expires_at)
    select ${user.id}, sha256(gen_random_uuid()::text::bytea), 1, '{pwd}', true,
      now() - n * interval '1 minute', now() + ${expiresIn}::interval
    from generate_series(1, ${count}::int) as n`;
}

/** Returns the purposes and recipients of a user's open and expired links. */
export async function linkRows(user: { id: string }): Promise<{ purpose: string; to: string }[]> {
  const rows = await sql<{ purpose: string; to: string }[]>`
    select purpose, sent_to as to from links where user_id = ${user.id} order by purpose, sent_to`;
  return [...rows];
}

/** Inserts a key with an unknown secret. */
export async function addApiKey(user: { id: string }): Promise<void> {
  await sql`
    insert into api_keys (user_id, name, prefix, key_hash, scopes)
    values (${user.id}, 'Backup', 'lk_live_0000', sha256(gen_random_uuid()::text::bytea),
      '{profile:read}')`;
}

export async function hasApiKey(user: { id: string }): Promise<boolean> {
  return (await sql`select from api_keys where user_id = ${user.id}`).length > 0;
}

export async function linkPurposes(user: { id: string }): Promise<string[]> {
  return (await linkRows(user)).map(({ purpose }) => purpose);
}

/** Returns the stored hash of a user's password, to compare with an earlier or later one. */
export async function passwordHash(user: { id: string }): Promise<string> {
  const [row] = await sql<{ hash: string }[]>`
    select hash from passwords where user_id = ${user.id}`;
  return `${row?.hash}`;
}

export async function userRow(user: {
  id: string;
}): Promise<{ email: string; auth_version: number } | undefined> {
  const [row] = await sql<{ email: string; auth_version: number }[]>`
    select email, auth_version from users where id = ${user.id}`;
  return row;
}

export type JobRow = {
  id: string;
  task: string;
  payload: Record<string, unknown>;
  attempts: number;
  last_error: string | null;
};

/** Returns the queued jobs about this user, by id or email. */
export async function jobRows(user: { id?: string; email?: string }): Promise<JobRow[]> {
  const rows = await sql<JobRow[]>`
    select jobs.id::text, identifier as task, payload, attempts, last_error
    from graphile_worker._private_jobs as jobs
    join graphile_worker._private_tasks as tasks on tasks.id = jobs.task_id
    where payload->>'userId' = ${user.id ?? ""} or payload->>'to' = ${user.email ?? ""}
    order by jobs.id`;
  return [...rows];
}

/** Returns the kinds of the queued mails to this user. */
export async function mailKinds(user: { id?: string; email?: string }): Promise<unknown[]> {
  return (await jobRows(user)).map(({ payload }) => payload.mail);
}

/** Returns every row of every table, the queue's too, as text, to search for forbidden values. */
export async function wholeDatabase(): Promise<string> {
  everyTable ??= await selectEveryTable();
  const tables = await sql.unsafe<{ rows: string | null }[]>(everyTable, [], { prepare: true });
  return tables.map(({ rows }) => rows ?? "").join("\n");
}

/** One prepared statement for all tables, because a test may run it after each of its steps. */
let everyTable: string | undefined;

async function selectEveryTable(): Promise<string> {
  const tables = await sql<{ name: string }[]>`
    select format('%I.%I', table_schema, table_name) as name from information_schema.tables
    where table_schema in ('public', 'graphile_worker') and table_type = 'BASE TABLE'`;
  return tables
    .map(({ name }) => `select string_agg(t::text, ' ') as rows from ${name} t`)
    .join(" union all ");
}
