import { type ListedUser, listUsers } from "@/lib/admin/users";
import { step } from "@/lib/commands/terminal";
import { type Connection, connect } from "@/lib/db/client";
import type { TestServer } from "@/tests/support/postgres";
import { count } from "./report";
import { type Contestant, type Length, type Race, run, throughput } from "./rounds";

/*
 * The administration's list of users, next to a bare select of one user. Names and emails are
 * made of few words, as in practice; one user in a thousand is suspended, one in fifty thousand
 * is an admin.
 */

const ours = "The newest";

const pages: Record<string, (db: Connection["db"], size: number) => Promise<ListedUser[]>> = {
  [ours]: (db) => listUsers(db, { limit: 26 }),
  "Search: half an address": (db) => listUsers(db, { limit: 26, search: "grace.hopper7" }),
  "Search: a common name": (db) => listUsers(db, { limit: 26, search: "walker" }),
  "Search: one of them": (db, size) => listUsers(db, { limit: 26, search: `${size - 3}@` }),
  "Search: two letters": (db) => listUsers(db, { limit: 26, search: "ad" }),
  "Filter: admins": (db) => listUsers(db, { limit: 26, role: "admin" }),
  "Filter: suspended": (db) => listUsers(db, { limit: 26, status: "suspended" }),
};

export async function directoryRace(
  server: TestServer,
  size: number,
  { rounds, turn }: Length,
): Promise<Race> {
  const title = `${count(size)} users, administration`;
  const url = await step(
    `Making ${count(size)} users`,
    () => populated(server, size),
    () => `${count(size)} users made`,
  );
  const connection = connect(url, { max: 1 });
  const bare = contestant("Bare select by primary key", () => bareSelect(connection));
  const lists = Object.entries(pages).map(([name, list]) =>
    contestant(name, async () => (await list(connection.db, size)).length > 0),
  );
  const results = await step(
    title,
    () => run([bare, ...lists], { rounds, turn }),
    () => title,
  );
  await connection.sql.end();
  return { title, results, ours };
}

async function populated(server: TestServer, size: number): Promise<string> {
  const url = await server.createDatabase(`bench_users_${size}`);
  const { sql } = connect(url, { max: 1 });
  await sql`
    insert into users (id, email, name, role, status, created_at)
    select md5('user' || n)::uuid, lower(first || '.' || last) || n || '@example.com', first || ' ' || last,
      case when n % 50000 = 7 then 'admin' else 'user' end,
      case when n % 1000 = 3 then 'suspended' else 'active' end,
      now() - random() * interval '3 years'
    from generate_series(1, ${size}::int) n,
      lateral (select
        ('{Ada,Grace,Linus,Barbara,Edsger,Margaret,Alan,Radia,Ken,Frances}'::text[])[1 + n * 7::bigint % 10] as first,
        ('{Walker,Lovelace,Hopper,Liskov,Hamilton,Turing,Perlman,Allen,Knuth,Jones,Lee}'::text[])[1 + n * 5::bigint % 11] as last) names`;
  await sql`
    insert into sessions (user_id, token_hash, auth_version, amr, persistent, last_seen_at, expires_at)
    select id, sha256(id::text::bytea), 1, '{pwd}', true, now() - random() * interval '13 days',
      now() + interval '30 days'
    from users`;
  await sql`insert into audit_events (kind, user_id) select 'logged-in', id from users`;
  for (const table of ["users", "sessions", "audit_events"])
    await sql.unsafe(`vacuum analyze ${table}`);
  await sql.end();
  return url;
}

async function bareSelect({ sql }: Connection): Promise<boolean> {
  const rows = await sql`select * from users where id = md5('user77')::uuid`;
  return rows.length === 1;
}

function contestant(name: string, call: () => Promise<boolean>): Contestant {
  return {
    name,
    async run(milliseconds) {
      const found = async () => {
        // A miss would be faster than a hit.
        if (!(await call())) throw new Error(`${name} found no user.`);
      };
      await throughput(found, 1, milliseconds / 4); // warms up
      return throughput(found, 1, milliseconds);
    },
  };
}
