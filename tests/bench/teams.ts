import type { Sql } from "postgres";
import { getSession } from "@/lib/auth/sessions/lookup";
import { step } from "@/lib/commands/terminal";
import { type Connection, connect, type Db } from "@/lib/db/client";
import { setEnv } from "@/lib/env";
import { getTeamSession } from "@/lib/teams/lookup";
import { visitorNumber } from "./population";
import { count } from "./report";
import { type Contestant, type Length, type Race, run, throughput } from "./rounds";

/*
 * The lookup with team, role and switcher, next to the bare lookup of the same sessions: first
 * where nothing is sold, then where each team has a subscription, which the lookup reads to find
 * the plan. A million sessions and their teams exceed the server's cache (128 MB), and the lookup
 * with teams reads more pages.
 */

const perTeam = 10;

/** Adds teams to the database of `populate`: ten users each, and each user in three of them. */
export async function addTeams(url: string, size: number): Promise<void> {
  const connection = connect(url);
  const users = Math.ceil(size / 3);
  await step(
    `Making ${count(users / perTeam)} teams`,
    () => populate(connection, users),
    () => `${count(users / perTeam)} teams made`,
  );
  await connection.sql.end();
}

/** Runs on a database with teams (see `addTeams`). */
export async function* teamRaces(
  url: string,
  size: number,
  length: Length,
  goal?: number,
): AsyncGenerator<Race> {
  const connection = connect(url);
  for (const inFlight of [1, 10]) {
    const title = `${count(size)} sessions and their teams, ${inFlight} in flight`;
    const results = await step(
      title,
      async () => run(await lookups(connection, size, inFlight), fine(length)),
      () => title,
    );
    yield { title, results, ours: "getTeamSession", ...(goal && { goal }) };
  }
  await connection.sql.end();
}

/**
 * Splits the same time into more, shorter turns: the difference to measure is smaller than the one
 * between one second and the next.
 */
function fine({ rounds, turn }: Length): Length {
  return { rounds: rounds * 4, turn: turn / 4 };
}

async function lookups({ db }: Connection, size: number, inFlight: number): Promise<Contestant[]> {
  const numbers = Array.from({ length: 20_000 }, () => 1 + Math.floor(Math.random() * size));
  const asked = numbers.map((n) => ({ ...visitorNumber(n), handle: teamOf(n) }));
  let next = 0;
  const draw = () => asked[next++ % asked.length] ?? { token: "", handle: "" };
  const contestant = (name: string, call: () => Promise<boolean>) =>
    contestantOf(name, call, inFlight);
  const withTeam = (look: typeof getTeamSession) => async () => {
    const { token, handle } = draw();
    const found = await look(db, token, handle);
    return found?.team?.plan === "pro" && found.teams.length > 1;
  };
  return [
    contestant("getSession", async () => (await getSession(db, draw().token)) !== null),
    contestant("getTeamSession", withTeam(getTeamSession)),
    contestant("getTeamSession, with billing", withTeam(await lookupWithBilling(db))),
  ];
}

/**
 * Imports a second copy of the lookup, because the first call builds its statement from the
 * environment at that time.
 */
async function lookupWithBilling(db: Db): Promise<typeof getTeamSession> {
  await getTeamSession(db, visitorNumber(1).token, teamOf(1));
  const copy = "../../lib/teams/lookup.ts?with-billing";
  const { getTeamSession: look }: { getTeamSession: typeof getTeamSession } = await import(copy);
  setEnv({ STRIPE_SECRET_KEY: "sk_test_bench", STRIPE_WEBHOOK_SECRET: "whsec_bench" });
  await look(db, visitorNumber(1).token, teamOf(1));
  setEnv({ STRIPE_SECRET_KEY: "", STRIPE_WEBHOOK_SECRET: "" });
  return look;
}

/** Returns the handle of a team of the visitor with this number, as `populate` creates it. */
function teamOf(visitor: number): string {
  const user = Math.floor(visitor / 3);
  return String(Math.floor(user / perTeam)).padStart(10, "0");
}

async function populate({ sql }: Connection, users: number): Promise<void> {
  await sql`
    insert into teams (id, handle, name)
    select md5('team' || n)::uuid, lpad(n::text, 10, '0'), 'Team ' || n
    from generate_series(0, ${Math.ceil(users / perTeam)}::int) n`;
  await sql`
    insert into members (team_id, user_id, role)
    select md5('team' || (n / ${perTeam}::int + shift) % ${Math.ceil(users / perTeam)}::int)::uuid,
      md5('user' || n)::uuid, case when n % ${perTeam}::int = 0 then 'owner' else 'member' end
    from generate_series(0, ${users - 1}::int) n, generate_series(0, 2) shift
    on conflict do nothing`;
  await sql`
    insert into billing_customers (team_id, customer_id) select id, 'cus_' || handle from teams`;
  await sql`
    insert into subscriptions (id, customer_id, plan, interval, seats, status, current_period_end, created_at)
    select 'sub_' || handle, 'cus_' || handle, 'pro', 'month', 10, 'active', now() + interval '20 days', now()
    from teams`;
  const tables = ["teams", "members", "billing_customers", "subscriptions"];
  for (const table of tables) await vacuum(sql, table);
  // Otherwise the server writes all of it to disk during the first race.
  await sql`checkpoint`;
}

/**
 * Vacuums until all rows of the table are marked visible, as they are some minutes after they were
 * written. An older snapshot, for example autovacuum's, keeps a vacuum from marking them, and then
 * index-only scans are not used.
 */
async function vacuum(sql: Sql, table: string): Promise<void> {
  for (let tries = 0; tries < 50; tries++) {
    await sql.unsafe(`vacuum analyze ${table}`);
    const [found] = await sql`select relallvisible >= relpages as visible from pg_class
      where oid = ${table}::regclass`;
    if (found?.visible) return;
  }
  throw new Error(`An old snapshot keeps ${table} from being vacuumed.`);
}

function contestantOf(name: string, call: () => Promise<boolean>, inFlight: number): Contestant {
  return {
    name,
    async run(milliseconds) {
      const found = async () => {
        // A miss would be faster than a hit.
        if (!(await call())) throw new Error(`${name} found nothing.`);
      };
      await throughput(found, inFlight, milliseconds / 4); // warms up
      return throughput(found, inFlight, milliseconds);
    },
  };
}
