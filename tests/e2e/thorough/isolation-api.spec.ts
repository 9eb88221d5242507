import { createKey } from "@/tests/support/api-keys";
import type { App } from "@/tests/support/app";
import { plantCanaries, rowsOf } from "@/tests/support/canaries";
import { expect, test } from "@/tests/support/end-to-end";
import { type Answer, httpClient, randomClientIp, send } from "@/tests/support/http-client";
import { deleteAllRows } from "@/tests/support/snapshot";
import { createScenario } from "@/tests/support/surface";
import { expectNothingOf, idsOf, pathsOf } from "@/tests/support/team-surface";
import { createLogin } from "@/tests/support/users";

/* Like isolation.spec.ts, for the API: every operation in its document, with a user's key. */

test.beforeEach(({ connection }) => deleteAllRows(connection));

/** An operation of the API. `path` has its parameters in brackets, like a route. */
type Operation = { method: string; path: string; body?: string };

/** Returns the operations in the API's document, each with an example of its body. */
async function operationsOf(app: App): Promise<Operation[]> {
  type Documented = { requestBody?: { content: { "application/json"?: { example?: unknown } } } };
  const { body } = await httpClient(app).get("/api/openapi.json");
  const { paths }: { paths: Record<string, Record<string, Documented>> } = JSON.parse(body);
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { requestBody }]) => {
      const example = requestBody?.content["application/json"]?.example;
      return {
        method: method.toUpperCase(),
        path: path.replaceAll("{", "[").replaceAll("}", "]"),
        body: example === undefined ? undefined : JSON.stringify(example),
      };
    }),
  );
}

function request(app: App, { method, path, body }: Operation, bearer: string): Promise<Answer> {
  const headers = { authorization: `Bearer ${bearer}`, "content-type": "application/json" };
  const bytes = body ? Buffer.from(body) : undefined;
  return send(app.origin, path, method, { ...headers, ...randomClientIp() }, bytes);
}

test("no route of the API reads or changes another team's data", async ({ app, connection }) => {
  const { db } = connection;
  const own = await createScenario(connection, "user");
  const other = await createScenario(connection, "user");
  const word = await plantCanaries(connection, other.team);
  const before = await rowsOf(connection, other.team);
  const { key } = await createKey(db, (await createLogin(db, own.user)).session);
  const isForeign = (path: string) =>
    [other.team.handle, ...idsOf(other.team)].some((each) => path.includes(each));
  for (const operation of await operationsOf(app)) {
    for (const path of pathsOf(operation.path, [own.team, other.team])) {
      // Skip deleting the user's own data: it would succeed, and be missing for later requests.
      if (operation.method !== "GET" && !isForeign(path)) continue;
      const what = `${operation.method} ${path}`;
      expectNothingOf(word, await request(app, { ...operation, path }, key), what);
    }
    expect(await rowsOf(connection, other.team), operation.path).toEqual(before);
  }
});

test("a key of a member who was removed finds nothing of the team, and changes nothing", async ({
  app,
  connection,
}) => {
  const { sql, db } = connection;
  const { user, team } = await createScenario(connection, "user");
  const { key } = await createKey(db, (await createLogin(db, user)).session);
  const word = await plantCanaries(connection, team);
  await sql`delete from members where team_id = ${team.id} and user_id = ${user.id}`;
  const before = await rowsOf(connection, team);
  for (const operation of await operationsOf(app))
    for (const path of pathsOf(operation.path, [team]).filter((each) => each.includes("/teams/")))
      expectNothingOf(word, await request(app, { ...operation, path }, key), path);
  expect(await rowsOf(connection, team)).toEqual(before);
});
