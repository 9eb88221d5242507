import { getSession } from "@/lib/auth/sessions/lookup";
import { step } from "@/lib/commands/terminal";
import { type Connection, connect } from "@/lib/db/client";
import { getTeamSession } from "@/lib/teams/lookup";
import { visitorNumber } from "./population";
import { count } from "./report";
import { type Contestant, type Length, type Race, run, throughput } from "./rounds";

/*
 * The lookup with team, role and switcher beside the bare lookup of the same sessions.
 */

const perTeam = 10;

/** Adds teams to the database of `populate`: ten users each, and each user in three of them. */
export async function* teamRaces(url: string, size: number, length: Length): AsyncGenerator<Race> {
  const connection = connect(url);
  const users = Math.ceil(size / 3);
  await step(
    `Making ${count(users / perTeam)} teams`,
    () => populate(connection, users),
    () => `${count(users / perTeam)} teams made`,
  );
  for (const inFlight of [1, 10]) {
    const title = `${count(size)} sessions and their teams, ${inFlight} in flight`;
    const results = await step(
      title,
      () => run(lookups(connection, size, inFlight), length),
      () => title,
    );
    yield { title, results, ours: "getTeamSession", goal: 0.67 };
  }
  await connection.sql.end();
}

function lookups({ db }: Connection, size: number, inFlight: number): Contestant[] {
  const numbers = Array.from({ length: 20_000 }, () => 1 + Math.floor(Math.random() * size));
  const asked = numbers.map((n) => ({ ...visitorNumber(n), handle: teamOf(n) }));
  let next = 0;
  const draw = () => asked[next++ % asked.length] ?? { token: "", handle: "" };
  const contestant = (name: string, call: () => Promise<boolean>) =>
    contestantOf(name, call, inFlight);
  return [
    contestant("getSession", async () => (await getSession(db, draw().token)) !== null),
    contestant("getTeamSession", async () => {
      const { token, handle } = draw();
      const found = await getTeamSession(db, token, handle);
      return found?.team?.role !== undefined && found.teams.length > 1;
    }),
  ];
}

/** The handle of a team of the visitor with this number, as `populate` makes it. */
export function teamOf(visitor: number): string {
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
  for (const table of ["teams", "members"]) await sql.unsafe(`vacuum analyze ${table}`);
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
