import { getSession } from "@/lib/auth/sessions/lookup";
import { step } from "@/lib/commands/terminal";
import { type Connection, connect } from "@/lib/db/client";
import { listProjects } from "@/lib/projects/projects";
import { getTeamSession } from "@/lib/teams/lookup";
import { createTeamScope } from "@/lib/teams/scope";
import { visitorNumber } from "./population";
import { count } from "./report";
import { type Contestant, type Length, type Race, run, throughput } from "./rounds";

/*
 * The lookup with team, role and switcher beside the bare lookup of the same sessions; and a list of
 * projects, whose pages cost the same wherever they stand, beside an offset.
 */

const perTeam = 10;
const listed = 10_000;

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
  const title = `${count(listed)} projects of a team`;
  const pages = await lists(connection);
  const results = await step(
    title,
    () => run(pages, length),
    () => title,
  );
  yield { title, results, ours: "The last page, by key" };
  await connection.sql.end();
}

function lookups({ db }: Connection, size: number, inFlight: number): Contestant[] {
  const numbers = Array.from({ length: 20_000 }, () => 1 + Math.floor(Math.random() * size));
  const asked = numbers.map((n) => ({ ...visitorNumber(n), handle: handleOf(Math.floor(n / 3)) }));
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

async function lists({ db, sql }: Connection): Promise<Contestant[]> {
  const [team] = await sql<{ id: string }[]>`select id from teams where handle = ${handleOf(0)}`;
  const teamId = `${team?.id}`;
  const scope = createTeamScope(
    {
      ...{ id: teamId, handle: handleOf(0), name: "Team 0" },
      ...{ role: "member", plan: "pro", requiresStrong: false },
    },
    { id: null, userId: null, keyId: "", client: { ip: null, userAgent: null } },
  );
  let after: string | undefined;
  for (let page = listProjects(db, scope, { limit: 1000 }); ; ) {
    const rows = await page;
    if (rows.length < 1000) break;
    after = rows.at(-26)?.cursor;
    page = listProjects(db, scope, { limit: 1000, after: rows.at(-1)?.cursor });
  }
  const offset = () => sql`
    select id, name, created_at from projects where team_id = ${teamId}
    order by created_at desc, id desc limit 26 offset ${listed - 26}`;
  return [
    contestantOf(
      "The first page",
      async () => (await listProjects(db, scope, { limit: 26 })).length > 0,
      1,
    ),
    contestantOf(
      "The last page, by key",
      async () => (await listProjects(db, scope, { limit: 26, after })).length > 0,
      1,
    ),
    contestantOf("The last page, by offset", async () => (await offset()).length > 0, 1),
  ];
}

/** As `populate` makes them of a user's number. */
function handleOf(user: number): string {
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
    insert into projects (team_id, name, created_at)
    select md5('team0')::uuid, 'Project ' || n, now() - n * interval '1 minute'
    from generate_series(1, ${listed}::int) n`;
  for (const table of ["teams", "members", "projects"]) await sql.unsafe(`vacuum analyze ${table}`);
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
