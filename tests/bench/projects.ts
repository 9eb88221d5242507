import { step } from "@/lib/commands/terminal";
import { type Connection, connect } from "@/lib/db/client";
import { listProjects } from "@/lib/projects/projects";
import { createTeamScope } from "@/lib/teams/scope";
import { count } from "./report";
import { type Contestant, type Length, type Race, run, throughput } from "./rounds";

/* A list of projects by key, whose pages cost the same at any position, next to one by offset. */

const listed = 10_000;
const handle = "manyprojec";

export async function projectRace(url: string, length: Length): Promise<Race> {
  const connection = connect(url);
  const contestants = await lists(connection, await populate(connection));
  const title = `${count(listed)} projects of a team`;
  const results = await step(
    title,
    () => run(contestants, length),
    () => title,
  );
  await connection.sql.end();
  return { title, results, ours: "The last page, by key" };
}

/** Inserts a team with this many projects. Returns its id. */
async function populate({ sql }: Connection): Promise<string> {
  const [team] = await sql<{ id: string }[]>`
    insert into teams (handle, name) values (${handle}, 'Many projects') returning id`;
  await sql`
    insert into projects (team_id, name, created_at)
    select ${`${team?.id}`}, 'Project ' || n, now() - n * interval '1 minute'
    from generate_series(1, ${listed}::int) n`;
  await sql`vacuum analyze projects`;
  return `${team?.id}`;
}

async function lists({ db, sql }: Connection, teamId: string): Promise<Contestant[]> {
  const scope = createTeamScope(
    {
      ...{ id: teamId, handle, name: "Many projects" },
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
    contestant("The first page", () => listProjects(db, scope, { limit: 26 })),
    contestant("The last page, by key", () => listProjects(db, scope, { limit: 26, after })),
    contestant("The last page, by offset", offset),
  ];
}

function contestant(name: string, list: () => Promise<unknown[]>): Contestant {
  return {
    name,
    async run(milliseconds) {
      const found = async () => {
        // A miss would be faster than a hit.
        if ((await list()).length === 0) throw new Error(`${name} found nothing.`);
      };
      await throughput(found, 1, milliseconds / 4); // warms up
      return throughput(found, 1, milliseconds);
    },
  };
}
