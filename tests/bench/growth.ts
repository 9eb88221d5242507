import { randomInt } from "node:crypto";
import type { Sql } from "postgres";
import {
  deleteExpiredSessions,
  deleteIdleSessions,
  invalidateAllUserSessions,
} from "@/lib/auth/sessions/end";
import { listSessions } from "@/lib/auth/sessions/list";
import { getSession } from "@/lib/auth/sessions/lookup";
import { step } from "@/lib/commands/terminal";
import { type Connection, connect } from "@/lib/db/client";
import { visitorNumber } from "./population";
import { count } from "./report";
import { type Contestant, type Length, type Race, run, throughput } from "./rounds";
import { quantile } from "./statistics";

/*
 * How the size of the sessions table affects speed: each race does the same work on tables of
 * different sizes. The number of sessions requested is the same in each. In a large table each of
 * them is on a page of its own, and those are more pages than a small table has.
 */

type Table = { size: number; connection: Connection };

const ACTIVE = 10_000;
const IN_FLIGHT = 10;
const EXPIRED = 500_000;
/** The share of the smallest table's rate that the largest must reach. */
const goal = 0.85;

/** `tables`: databases filled by `populate`, smallest first. */
export async function* growthRaces(
  tables: { size: number; url: string }[],
  length: Length,
): AsyncGenerator<Race> {
  const opened = tables.map(({ size, url }) => ({ size, connection: connect(url) }));
  for (const { connection } of opened) await addOwners(connection.sql);
  const works: [string, (table: Table) => Contestant["run"]][] = [
    [`Lookup, ${IN_FLIGHT} in flight`, lookup],
    ["List of a user with 10 sessions", list(10)],
    ["List of a user with 1,000 sessions", list(1000)],
    ["End of all 10 sessions of a user", end(10)],
    ["End of all 1,000 sessions of a user", end(1000)],
  ];
  for (const [title, work] of works) {
    const contestants = opened.map((table) => ({ name: sized(table.size), run: work(table) }));
    const race = async () => {
      for (const each of contestants) await each.run(length.turn * 2); // warms up
      return run(contestants, length);
    };
    const results = await step(title, race, () => title);
    yield { title, results, ours: contestants.at(-1)?.name ?? "", goal };
  }
  for (const { connection } of opened) await connection.sql.end();
}

const sized = (size: number) => `${count(size)} sessions`;

function lookup({ size, connection: { db } }: Table): Contestant["run"] {
  const active = Array.from({ length: ACTIVE }, (_, n) => {
    return visitorNumber(1 + Math.floor((n * size) / ACTIVE)).token;
  });
  const call = async () => {
    if (!(await getSession(db, active[randomInt(ACTIVE)] ?? ""))) throw new Error("No session.");
  };
  return (milliseconds) => throughput(call, IN_FLIGHT, milliseconds);
}

const OWNERS = 50;

function list(owned: number): (table: Table) => Contestant["run"] {
  return ({ connection: { db } }) => {
    const call = () => listSessions(db, { userId: owner(owned, randomInt(OWNERS)) });
    return (milliseconds) => throughput(call, 1, milliseconds);
  };
}

/** Measures only the time to end the sessions, not the insert before it. */
function end(owned: number): (table: Table) => Contestant["run"] {
  return ({ connection: { db, sql } }) => {
    let next = 0;
    return async (milliseconds) => {
      let [taken, ended] = [0, 0];
      for (; taken < milliseconds || ended === 0; ended++) {
        const userId = owner(owned, next++ % OWNERS);
        await addSessions(sql, [userId], owned);
        const start = performance.now();
        const were = await invalidateAllUserSessions(db, userId);
        taken += performance.now() - start;
        if (were < owned) throw new Error(`${were} sessions were ended.`);
      }
      return (ended * 1000) / taken;
    };
  };
}

/** Returns the id of a user with this many sessions. Its last digits are the user's number. */
function owner(owned: number, number: number): string {
  return `00000000-0000-4000-8000-${String(owned).padStart(6, "0")}${String(number).padStart(6, "0")}`;
}

async function addOwners(sql: Sql): Promise<void> {
  for (const owned of [10, 1000]) {
    const ids = Array.from({ length: OWNERS }, (_, number) => owner(owned, number));
    await sql`
      insert into users (id, email, name)
      select id, id || '@example.com', 'Owner' from unnest(${ids}::uuid[]) id
      on conflict do nothing`;
    await addSessions(sql, ids, owned);
  }
  await sql`vacuum analyze sessions`;
}

async function addSessions(sql: Sql, users: string[], each: number): Promise<void> {
  await sql`
    insert into sessions (user_id, token_hash, auth_version, amr, persistent, expires_at, ip, user_agent)
    select users.id, sha256(gen_random_uuid()::text::bytea), users.auth_version, '{pwd}', true,
      now() + interval '30 days', '198.51.100.1', 'Mozilla/5.0'
    from users, generate_series(1, ${each}::int) where users.id = any(${users}::uuid[])`;
}

/**
 * Deletes half a million expired sessions while others are looked up. Returns sentences for the
 * report. The sessions at `url` must be numbered as `populate` does.
 */
export async function cleanUpNotes(url: string, size: number): Promise<string[]> {
  const { db, sql } = connect(url);
  const other = connect(url, { max: 1 });
  await step(
    `Making ${count(EXPIRED)} expired sessions`,
    () => addExpired(sql),
    () => `${count(EXPIRED)} expired sessions made`,
  );
  const work = async () => {
    const quiet = await waitsUntil(db, size, pause(3000));
    const start = performance.now();
    const cleaning = deleteExpiredSessions(other.db);
    const meanwhile = await waitsUntil(db, size, cleaning);
    const took = (performance.now() - start) / 1000;
    const gone = await cleaning;
    if (gone < EXPIRED) throw new Error(`${gone} sessions were deleted.`);
    const scanned = performance.now();
    await deleteIdleSessions(other.db);
    const scan = (performance.now() - scanned) / 1000;
    return [
      `Clean-up of ${count(gone)} expired among ${count(size)} sessions: ${took.toFixed(1)} s; a lookup meanwhile took ${p99(meanwhile)} at p99 (${IN_FLIGHT} in flight), and ${p99(quiet)} before.`,
      `Scan of ${count(size)} sessions for idle ones: ${scan.toFixed(1)} s.`,
    ];
  };
  const notes = await step("Deleting them", work, () => "Expired sessions deleted");
  await Promise.all([sql.end(), other.sql.end()]);
  return notes;
}

const pause = (milliseconds: number) => new Promise((done) => setTimeout(done, milliseconds));
const p99 = (waits: number[]) => `${quantile(waits, 0.99).toFixed(1)} ms`;

/** Returns how long each lookup took, in milliseconds, until `done` settled. */
async function waitsUntil(
  db: Connection["db"],
  size: number,
  done: Promise<unknown>,
): Promise<number[]> {
  const waits: number[] = [];
  let over = false;
  const caller = async () => {
    while (!over) {
      const start = performance.now();
      await getSession(db, visitorNumber(1 + randomInt(size)).token);
      waits.push(performance.now() - start);
    }
  };
  const callers = Array.from({ length: IN_FLIGHT }, caller);
  await done;
  over = true;
  await Promise.all(callers);
  return waits;
}

async function addExpired(sql: Sql): Promise<void> {
  await sql`
    insert into sessions (user_id, token_hash, auth_version, amr, persistent, created_at, authenticated_at,
      last_seen_at, expires_at, ip, user_agent)
    select md5('user' || n % 3000)::uuid, sha256(('expired' || n)::bytea), 1, '{pwd}', true, now() - interval '31 days',
      now() - interval '31 days', now() - interval '20 days', now() - interval '1 day', '198.51.100.1', 'Mozilla/5.0'
    from generate_series(1, ${EXPIRED}::int) n`;
  await sql`analyze sessions`;
}
