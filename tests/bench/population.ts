import { createHash, randomInt } from "node:crypto";
import type { Sql } from "postgres";

/*
 * Creates users and their sessions inside Postgres: three sessions per user, two thirds of them
 * remembered, last seen at a random time within their idle window, so that all are live. Tokens and
 * ids are derived from a running number, so that any of them can be presented without reading it.
 */

export type Visitor = { token: string; tokenHash: Buffer; id: string };

const USER_AGENT =
  "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36";

/** Fills a migrated, empty database. */
export async function populate(sql: Sql, sessions: number): Promise<void> {
  await sql`
    insert into users (id, email, name)
    select md5('user' || n)::uuid, 'user' || n || '@example.com', 'User ' || n
    from generate_series(0, ${Math.ceil(sessions / 3)}::int) n`;
  await sql`
    insert into sessions (id, user_id, token_hash, auth_version, amr, persistent,
      created_at, authenticated_at, last_seen_at, expires_at, ip, user_agent)
    select md5('session' || n)::uuid, md5('user' || n / 3)::uuid,
      sha256(lpad(n::text, 43, '0')::bytea), 1, '{pwd}', persistent,
      seen - age, seen - age, seen, seen - age + absolute,
      '198.51.100.0'::inet + n % 256, ${USER_AGENT}
    from generate_series(1, ${sessions}::int) n,
      lateral (select n % 3 > 0 as persistent) kind,
      lateral (select
        case when persistent then interval '30 days' else interval '24 hours' end as absolute,
        now() - random() * case when persistent then interval '13 days' else interval '11 hours' end as seen,
        random() * case when persistent then interval '13 days' else interval '11 hours' end as age) times`;
  await sql`vacuum analyze users`;
  await sql`vacuum analyze sessions`;
}

/**
 * Returns one visitor after another, drawn from all sessions. Draws them in advance, because
 * drawing takes time.
 */
export function visitors(sessions: number): () => Visitor {
  const drawn = Array.from({ length: 100_000 }, () => visitorNumber(randomInt(sessions) + 1));
  let next = 0;
  return () => drawn[next++ % drawn.length] ?? visitorNumber(1);
}

export function visitorNumber(n: number): Visitor {
  const token = String(n).padStart(43, "0");
  return {
    token,
    tokenHash: createHash("sha256").update(token).digest(),
    id: createHash("md5").update(`session${n}`).digest("hex"),
  };
}
