import { sql } from "./database";

/* What stands in the tables, read past the code under test. */

export type SessionRow = {
  id: string;
  token_hash: Buffer | null;
  user_agent: string | null;
  ip: string | null;
  data: Record<string, unknown>;
  /** Times as seconds since 1970. */
  authenticated_at: number;
  last_seen_at: number;
  expires_at: number;
};

/** A user's rows in `sessions`, live or not, the oldest first. */
export async function sessionRows(person: { id: string }): Promise<SessionRow[]> {
  return sql<SessionRow[]>`
    select id, token_hash, user_agent, ip, data,
      extract(epoch from authenticated_at)::float8 as authenticated_at,
      extract(epoch from last_seen_at)::float8 as last_seen_at,
      extract(epoch from expires_at)::float8 as expires_at
    from sessions where user_id = ${person.id} order by created_at, id`;
}

export type EventRow = {
  kind: string;
  session_id: string | null;
  ip: string | null;
  user_agent: string | null;
  detail: Record<string, unknown>;
};

/** A user's audit trail, the oldest first. */
export async function eventRows(person: { id: string }): Promise<EventRow[]> {
  return sql<EventRow[]>`
    select kind, session_id, ip, user_agent, detail
    from audit_events where user_id = ${person.id} order by id`;
}

export async function eventKinds(person: { id: string }): Promise<string[]> {
  return (await eventRows(person)).map(({ kind }) => kind);
}

/** Web sessions that nobody has the token of, the n-th last seen n minutes ago. */
export async function addSessions(
  person: { id: string },
  count: number,
  expiresIn = "30 days",
): Promise<void> {
  await sql`
    insert into sessions (user_id, token_hash, auth_version, amr, persistent, last_seen_at, expires_at)
    select ${person.id}, sha256(gen_random_uuid()::text::bytea), 1, '{pwd}', true,
      now() - n * interval '1 minute', now() + ${expiresIn}::interval
    from generate_series(1, ${count}::int) as n`;
}

/** Every row of every table as text, to look for what must not be there. */
export async function wholeDatabase(): Promise<string> {
  tables ??= await sql<{ name: string }[]>`
    select quote_ident(table_name) as name from information_schema.tables
    where table_schema = 'public' and table_type = 'BASE TABLE'`;
  const selects = tables.map(({ name }) => `select t::text as row from ${name} t`);
  const rows = await sql.unsafe<{ row: string }[]>(selects.join(" union all "));
  return rows.map(({ row }) => row).join("\n");
}

let tables: { name: string }[] | undefined;
