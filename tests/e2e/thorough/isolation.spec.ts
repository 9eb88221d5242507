import { readFileSync } from "node:fs";
import { can, type TeamAction, type TeamRole, teamRoles } from "@/lib/teams/roles";
import { plantCanaries, rowsOf } from "@/tests/support/canaries";
import { expect, test } from "@/tests/support/end-to-end";
import { httpClient } from "@/tests/support/http-client";
import { readCatalog } from "@/tests/support/isolation";
import { deleteAllRows } from "@/tests/support/snapshot";
import {
  allActions,
  allRoutes,
  ask,
  createScenario,
  type Fields,
  flight,
  ways,
} from "@/tests/support/surface";
import { expectNothingOf, pathsOf } from "@/tests/support/team-surface";
import { addMember } from "@/tests/support/teams";

/*
 * Requests every path of the running build as a user of one team, with the handle and the ids of
 * another, and with mixes of both. The other team's text is a secret word: no response may contain
 * it, and none of the team's rows may change.
 */

test.beforeEach(({ connection }) => deleteAllRows(connection));

test("the team of these tests has a row in each table of a team", async ({ connection }) => {
  const { team } = await createScenario(connection);
  const tables = (await rowsOf(connection, team)).map((row) => row.split(" ")[0]);
  const { teamTables } = await readCatalog(connection.sql);
  const what = "Let addTeam in tests/support/team-surface.ts insert a row.";
  expect([...new Set(tables)].sort(), what).toEqual([...teamTables, "teams"].sort());
});

test("no page and no download shows another team's data", async ({ app, connection }) => {
  const own = await createScenario(connection, "user");
  const other = await createScenario(connection, "user");
  const word = await plantCanaries(connection, other.team);
  const before = await rowsOf(connection, other.team);
  const client = httpClient(app, own.token);
  // Parameters that a page might read from its query.
  const query = new URLSearchParams({ ...other.team, team: other.team.handle, after: "0.x" });
  for (const { route, file } of allRoutes()) {
    for (const path of pathsOf(route, [own.team, other.team])) {
      const page = await client.get(path);
      expectNothingOf(word, page, path);
      expectNothingOf(word, await ask(client, path, flight), path);
      expectNothingOf(word, await client.get(`${path}?${query}`), path);
      if (path.startsWith(`/t/${other.team.handle}`))
        expect([404, 405], path).toContain(page.status);
      // A download is a POST of a form.
      if (route.startsWith("/t/") && file.endsWith("/route.ts"))
        expectNothingOf(word, await client.post(path, new FormData()), `POST ${path}`);
    }
  }
  expect(await rowsOf(connection, other.team)).toEqual(before);

  const [home = ""] = pathsOf("/t/[team]", [other.team]);
  expect((await httpClient(app, other.token).get(home)).body).toContain(word);
});

const isId = (value: string) =>
  /^([0-9a-f]{10}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$/.test(value);

/** Returns the user's fields, with every combination of the other's ids in their place. */
function mixesOf(own: Fields, other: Fields): Fields[] {
  const names = Object.keys(other).filter((name) => isId(`${other[name]}`));
  const mixes = names.reduce(
    (chosen: Fields[], name) =>
      chosen.flatMap((each) => [each, { ...each, [name]: `${other[name]}` }]),
    [{}],
  );
  return mixes.slice(1).map((mix) => ({ ...own, ...mix }));
}

for (const [way, call] of Object.entries(ways)) {
  test(`no action ${way} reads or changes another team's data`, async ({ app, connection }) => {
    const other = await createScenario(connection, "user");
    const word = await plantCanaries(connection, other.team);
    const before = await rowsOf(connection, other.team);
    for (const action of allActions()) {
      const theirs = other.fieldsOf(action);
      if (mixesOf({}, theirs).length === 0) continue;
      const own = await createScenario(connection, "user", action.name);
      for (const fields of mixesOf(own.fieldsOf(action), theirs)) {
        const what = `${action.name} ${JSON.stringify(fields)}`;
        expectNothingOf(word, await call(httpClient(app, own.token), action, fields), what);
        expect(await rowsOf(connection, other.team), what).toEqual(before);
      }
    }
  });
}

test("a member who was removed finds nothing of the team, and changes nothing", async ({
  app,
  connection,
}) => {
  const { sql } = connection;
  const { user, token, team, fieldsOf } = await createScenario(connection, "user");
  const word = await plantCanaries(connection, team);
  await sql`delete from members where team_id = ${team.id} and user_id = ${user.id}`;
  const before = await rowsOf(connection, team);
  const client = httpClient(app, token);
  for (const { route } of allRoutes())
    for (const path of pathsOf(route, [team])) {
      const page = await client.get(path);
      expectNothingOf(word, page, path);
      if (path.startsWith("/t/")) expect([404, 405], path).toContain(page.status);
    }
  for (const action of allActions().filter((each) => "team" in fieldsOf(each)))
    for (const call of Object.values(ways))
      expectNothingOf(word, await call(client, action, fieldsOf(action)), action.name);
  expect(await rowsOf(connection, team)).toEqual(before);
});

/** Returns the permission that the source of a page, handler or action passes to its guard. */
function rightIn(file: string, name = "\\w+"): TeamAction | undefined {
  const start = new RegExp(`^export (?:default )?(?:async )?function ${name}\\(`, "m");
  const [, source = ""] = readFileSync(file, "utf8").split(start);
  const [, given = ""] = /requireTeam(?:Sudo)?\(([^;]*)\);/.exec(source) ?? [];
  const [, right] = /^"(.+)"$/.exec(given.split(",").at(2)?.trim() ?? "") ?? [];
  return right as TeamAction | undefined; // the compiler has checked the guard's call
}

test("a member without the right finds no page, and changes nothing", async ({
  app,
  connection,
}) => {
  const { team, fieldsOf } = await createScenario(connection, "user");
  const tokens = new Map<TeamRole, string>();
  for (const role of teamRoles)
    tokens.set(role, (await addMember(connection.db, { ...team, name: "" }, role)).token);
  const before = await rowsOf(connection, team);
  const refused: string[] = [];
  for (const { route, file } of allRoutes().filter(({ route }) => route.startsWith("/t/"))) {
    const right = rightIn(file);
    for (const role of right ? teamRoles.filter((each) => !can(each, right)) : []) {
      // 405 from a route that accepts only forms.
      for (const path of pathsOf(route, [team]))
        expect([404, 405], path).toContain(
          (await httpClient(app, tokens.get(role)).get(path)).status,
        );
      refused.push(`${role} ${route}`);
    }
  }
  for (const action of allActions().filter(({ file }) => file.startsWith("app/(app)/t/"))) {
    const right = rightIn(action.file, action.name);
    for (const role of right ? teamRoles.filter((each) => !can(each, right)) : []) {
      const client = httpClient(app, tokens.get(role));
      for (const call of Object.values(ways))
        expect((await call(client, action, fieldsOf(action))).status, action.name).toBe(404);
      refused.push(`${role} ${action.name}`);
    }
  }
  expect(await rowsOf(connection, team)).toEqual(before);
  expect(refused).toEqual(expect.arrayContaining(["member renameTeam"]));
});
