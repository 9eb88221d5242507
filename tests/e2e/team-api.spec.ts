import { sessionCookie } from "@/lib/auth/sessions/cookie";
import { newApiKey } from "@/lib/auth/tokens/api-key-format";
import { type Scope, scopes } from "@/lib/auth/tokens/api-keys";
import type { Connection } from "@/lib/db/client";
import { revokeTeamKey, type TeamKeyScope } from "@/lib/teams/keys";
import { createKey } from "@/tests/support/api-keys";
import type { App } from "@/tests/support/app";
import { expect, test } from "@/tests/support/end-to-end";
import { type Answer, randomClientIp, type SentHeaders, send } from "@/tests/support/http-client";
import { allRows } from "@/tests/support/snapshot";
import { createKeyOf, markTeamKeysUsed } from "@/tests/support/team-keys";
import { addMember, createOwnedTeam, type TestMember, type TestTeam } from "@/tests/support/teams";
import { addTwoFactor } from "@/tests/support/two-factor";
import { createLogin, createUser, password } from "@/tests/support/users";

/* A team's data through the API: which bearer may access which team, and what all others get. */

type Given = { name?: string; requiresStrong?: boolean; scopes?: TeamKeyScope[] };

/**
 * Creates a team with an owner, a key, and a project with a note. Their texts are unique
 * to this team.
 */
async function createTeam({ db, sql }: Connection, { scopes, ...given }: Given = {}) {
  const { team, owner } = await createOwnedTeam(db, given);
  const { id: keyId, key } = await createKeyOf(db, owner.scope, scopes && { scopes });
  const [row] = await sql<{ project: string; note: string }[]>`
    with project as (
      insert into projects (team_id, name) values (${team.id}, ${`Project of ${team.handle}`})
      returning id)
    insert into notes (team_id, project_id, body)
    select ${team.id}::uuid, id, ${`Note of ${team.handle}`} from project
    returning project_id as project, id as note`;
  if (!row) throw new Error("createTeam: the insert returned no row.");
  return { team, owner, keyId, key, ...row };
}

/** Creates a key of the user alone, with all scopes unless `given` lists others. */
async function keyOf({ db }: Connection, { user }: TestMember, given?: Scope[]): Promise<string> {
  const { session } = await createLogin(db, user);
  return (await createKey(db, session, given && { scopes: given })).key;
}

type Sent = { method?: string; body?: unknown; headers?: SentHeaders };

function ask(
  app: App,
  bearer: string | undefined,
  path: string,
  { method = "GET", body, headers }: Sent = {},
): Promise<Answer> {
  const sent = {
    authorization: bearer && `Bearer ${bearer}`,
    "content-type": body === undefined ? undefined : "application/json",
    ...randomClientIp(),
    ...headers,
  };
  const text = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
  return send(app.origin, `/api/v1${path}`, method, sent, text);
}

/** Returns every route of a team, with the request that each accepts. */
function routes({ handle }: TestTeam, project: string): [string, Sent][] {
  const list = `/teams/${handle}/projects`;
  return [
    [list, {}],
    [list, { method: "POST", body: { name: "New" } }],
    [`${list}/${project}`, {}],
    [`${list}/${project}`, { method: "PATCH", body: { name: "Renamed", archived: true } }],
    [`${list}/${project}`, { method: "DELETE" }],
    [`${list}/${project}/notes`, {}],
    [`${list}/${project}/notes`, { method: "POST", body: { body: "New" } }],
  ];
}

function code({ status, body }: Answer): [number, string | undefined] {
  return [status, body ? JSON.parse(body).code : undefined];
}

test("a key of a team reads and writes its projects and notes", async ({ app, connection }) => {
  const { team, key, keyId, project } = await createTeam(connection);
  const list = `/teams/${team.handle}/projects`;
  const created = await ask(app, key, list, { method: "POST", body: { name: " Website " } });
  expect(created.status).toBe(201);
  const website = JSON.parse(created.body);
  expect(website).toMatchObject({ name: "Website", archived: false });
  expect(JSON.parse((await ask(app, key, list)).body)).toMatchObject({
    ...{ projects: [website, { id: project }], next: null },
  });

  const path = `${list}/${website.id}`;
  const archived = await ask(app, key, path, { method: "PATCH", body: { archived: true } });
  expect(JSON.parse(archived.body)).toEqual({ ...website, archived: true });
  const back = { name: "New website", archived: false };
  const changed = await ask(app, key, path, { method: "PATCH", body: back });
  expect(JSON.parse(changed.body)).toEqual({ ...website, ...back });
  expect((await ask(app, key, `${list}/${website.id.toUpperCase()}`)).status).toBe(200);

  const note = await ask(app, key, `${path}/notes`, {
    method: "POST",
    body: { body: "Line\r\n2" },
  });
  expect(note.status).toBe(201);
  expect(JSON.parse((await ask(app, key, `${path}/notes`)).body)).toMatchObject({
    notes: [{ id: JSON.parse(note.body).id, body: "Line\n2", author: null }],
    next: null,
  });
  await expect
    .poll(
      () => connection.sql`select from team_keys where id = ${keyId} and last_used_at is not null`,
    )
    .toHaveLength(1);
});

test("a user's key writes as the user and may do what the user's role allows", async ({
  app,
  connection,
}) => {
  const { team, owner, project } = await createTeam(connection);
  const [admin, member] = [
    await addMember(connection.db, team, "admin"),
    await addMember(connection.db, team, "member"),
  ];
  const path = `/teams/${team.handle}/projects/${project}`;
  const add = { method: "POST", body: { body: "Mine" } };
  const memberKey = await keyOf(connection, member);
  expect((await ask(app, memberKey, `${path}/notes`, add)).status).toBe(201);
  const [note] = JSON.parse((await ask(app, memberKey, `${path}/notes`)).body).notes;
  expect(note).toMatchObject({ body: "Mine", author: member.user.name });

  const refused = await ask(app, memberKey, path, { method: "DELETE" });
  expect(code(refused)).toEqual([403, "insufficient-role"]);
  const { key } = await createKeyOf(connection.db, owner.scope);
  expect(code(await ask(app, key, path, { method: "DELETE" }))).toEqual([403, "insufficient-role"]);
  expect((await ask(app, key, path)).status).toBe(200);
  expect((await ask(app, await keyOf(connection, admin), path, { method: "DELETE" })).status).toBe(
    204,
  );
  expect(code(await ask(app, key, path))).toEqual([404, "not-found"]);
});

test("a bearer of team A finds nothing of team B, by B's handle or with B's ids", async ({
  app,
  connection,
}) => {
  const [a, b] = [await createTeam(connection), await createTeam(connection)];
  const bearers = { "team key": a.key, "user's key": await keyOf(connection, a.owner) };
  await connection.sql`update api_keys set last_used_at = now()`;
  await markTeamKeysUsed(connection);
  const before = await allRows(connection);
  const unknown = "0d7a3c55-31c6-4f0f-9c39-0f0a1f4f7b1e";
  const mixes = {
    "B's handle and B's ids": routes(b.team, b.project),
    "B's handle and A's ids": routes(b.team, a.project),
    // Without the first two, which contain no id.
    "A's handle and B's ids": routes(a.team, b.project).slice(2),
    "a note's id for a project's": routes(a.team, a.note).slice(2),
    "no id": routes(a.team, "nothing").slice(2),
    "no handle": routes({ ...b.team, handle: "nothing" }, b.project),
  };
  for (const [who, bearer] of Object.entries(bearers))
    for (const [mix, asked] of Object.entries(mixes))
      for (const [path, sent] of asked) {
        const what = `${who}, ${mix}: ${sent.method ?? "GET"} ${path}`;
        const answer = await ask(app, bearer, path, sent);
        // A team's key may delete nothing, whatever the id.
        const mayNot =
          who === "team key" && sent.method === "DELETE" && path.includes(a.team.handle);
        const role = mayNot && mix !== "no id";
        expect(code(answer), what).toEqual(role ? [403, "insufficient-role"] : [404, "not-found"]);
        expect(answer.body, what).not.toContain(`of ${b.team.handle}`);
        // The response for what team B has is the same as for what does not exist.
        const nowhere = path.replace(b.team.handle, "0000000000").replace(b.project, unknown);
        expect((await ask(app, bearer, nowhere, sent)).body, what).toBe(answer.body);
      }
  expect(await allRows(connection)).toEqual(before);
});

const ends: Record<
  string,
  (connection: Connection, made: Awaited<ReturnType<typeof createTeam>>) => Promise<unknown>
> = {
  revoked: ({ db }, { owner, keyId }) => revokeTeamKey(db, owner.scope, keyId),
  expired: ({ sql }, { keyId }) => sql`update team_keys set expires_at = now() where id = ${keyId}`,
  "deleted with its team": ({ sql }, { team }) => sql`delete from teams where id = ${team.id}`,
};
for (const [how, end] of Object.entries(ends))
  test(`a key that is ${how} opens nothing from the next request on`, async ({
    app,
    connection,
  }) => {
    const made = await createTeam(connection);
    const all = routes(made.team, made.project);
    expect((await ask(app, made.key, ...(all[0] as [string, Sent]))).status).toBe(200);
    await end(connection, made);
    for (const [path, sent] of all) {
      const answer = await ask(app, made.key, path, sent);
      expect(code(answer), path).toEqual([401, "invalid-token"]);
      expect(answer.headers["www-authenticate"]).toBe('Bearer error="invalid_token"');
    }
  });

test("a key outlives the membership and the account of its maker; a user's key does not", async ({
  app,
  connection,
}) => {
  const { db, sql } = connection;
  const { team, project } = await createTeam(connection);
  const admin = await addMember(db, team, "admin");
  const { key } = await createKeyOf(db, admin.scope);
  const own = await keyOf(connection, admin);
  const path = `/teams/${team.handle}/projects/${project}`;
  for (const bearer of [key, own]) expect((await ask(app, bearer, path)).status).toBe(200);

  await sql`delete from members where user_id = ${admin.user.id}`;
  expect(code(await ask(app, own, path))).toEqual([404, "not-found"]);
  expect(JSON.parse((await ask(app, own, "/teams")).body)).toEqual([]);
  expect((await ask(app, key, path)).status).toBe(200);
  await sql`delete from users where id = ${admin.user.id}`;
  expect(code(await ask(app, own, path))).toEqual([401, "invalid-token"]);
  expect((await ask(app, key, path)).status).toBe(200);
});

test("a key of a team or a user may do only what its scopes say", async ({ app, connection }) => {
  const { db } = connection;
  for (const scope of ["projects:read", "projects:write"] as const) {
    const made = await createTeam(connection);
    const lacking = scopes.filter((each) => each !== scope);
    const other =
      scope === "projects:read" ? ("projects:write" as const) : ("projects:read" as const);
    const bearers = [
      (await createKeyOf(db, made.owner.scope, { scopes: [other] })).key,
      await keyOf(connection, made.owner, lacking),
    ];
    await connection.sql`update api_keys set last_used_at = now()`;
    await markTeamKeysUsed(connection);
    const before = await allRows(connection);
    for (const [path, sent] of routes(made.team, made.project)) {
      const isRead = (sent.method ?? "GET") === "GET";
      if (isRead !== (scope === "projects:read")) continue;
      for (const bearer of bearers) {
        const answer = await ask(app, bearer, path, sent);
        expect(code(answer), path).toEqual([403, "insufficient-scope"]);
        expect(answer.headers["www-authenticate"]).toBe(
          `Bearer error="insufficient_scope", scope="${scope}"`,
        );
      }
    }
    expect(await allRows(connection)).toEqual(before);
  }
});

test("a key of a team opens nothing but its team: no account, no sessions, no tokens, no page", async ({
  app,
  connection,
}) => {
  const { key, team } = await createTeam(connection);
  for (const [path, method] of [
    ["/me", "GET"],
    ["/sessions", "GET"],
    ["/teams", "GET"],
    ["/token/service", "POST"],
  ] as const)
    expect(code(await ask(app, key, path, { method })), path).toEqual([401, "invalid-token"]);
  for (const path of ["/dashboard", `/t/${team.handle}`, `/t/${team.handle}/settings/api-keys`]) {
    const headers = { authorization: `Bearer ${key}`, ...randomClientIp() };
    expect((await send(app.origin, path, "GET", headers)).status, path).toBe(307);
  }
  for (const wrong of [newApiKey("team"), key.slice(0, -1), `${key}0`, newApiKey("user")])
    expect(code(await ask(app, wrong, `/teams/${team.handle}/projects`))).toEqual([
      ...[401, "invalid-token"],
    ]);
});

test("cookies are ignored, with a bearer and without", async ({ app, connection }) => {
  const [a, b] = [await createTeam(connection), await createTeam(connection)];
  const cookie = `${sessionCookie(app.origin).name}=${b.owner.token}`;
  const ofB = `/teams/${b.team.handle}/projects`;
  for (const [path, sent] of routes(b.team, b.project)) {
    const answer = await ask(app, undefined, path, { ...sent, headers: { cookie } });
    expect(code(answer), path).toEqual([401, "invalid-token"]);
    expect(answer.setCookie).toEqual([]);
  }
  expect(code(await ask(app, a.key, ofB, { headers: { cookie } }))).toEqual([404, "not-found"]);
  const own = await ask(app, a.key, `/teams/${a.team.handle}/projects`, { headers: { cookie } });
  expect(own.status).toBe(200);
  expect(own.body).not.toContain(b.team.handle);
});

async function logInApp(app: App, email: string, otp?: string): Promise<string> {
  const body = { email, password, otp };
  return JSON.parse((await ask(app, undefined, "/token", { method: "POST", body })).body)
    .access_token;
}

test("a team that requires a second factor refuses users' keys, their tokens, and apps without one", async ({
  app,
  connection,
}) => {
  const { db, sql } = connection;
  const { team, key, project } = await createTeam(connection);
  const member = await addMember(db, team, "owner");
  const own = await keyOf(connection, member);
  const weakApp = await logInApp(app, member.user.email);
  const authenticator = await addTwoFactor(db, member.user);
  const strongApp = await logInApp(app, member.user.email, authenticator.code());
  const service = await ask(app, own, "/token/service", { method: "POST" });
  const weak = [own, JSON.parse(service.body).access_token, weakApp];
  const path = `/teams/${team.handle}/projects/${project}`;
  for (const bearer of [...weak, strongApp, key])
    expect((await ask(app, bearer, path)).status).toBe(200);

  await sql`update teams set requires_strong = true where id = ${team.id}`;
  for (const bearer of weak)
    for (const [path, sent] of routes(team, project))
      expect(code(await ask(app, bearer, path, sent)), path).toEqual([
        ...[403, "strong-proof-required"],
      ]);
  for (const bearer of [strongApp, key]) expect((await ask(app, bearer, path)).status).toBe(200);
  // The names of the user's own teams are not data of the team.
  expect((await ask(app, own, "/teams")).body).toContain(team.handle);

  const body = { password, otp: authenticator.code(1) };
  const proof = { method: "POST", body };
  expect((await ask(app, weakApp, "/token/confirm", proof)).status).toBe(204);
  expect((await ask(app, weakApp, path)).status).toBe(200);
});

test("the list of teams has those of the bearer's user, with the role in each", async ({
  app,
  connection,
}) => {
  const { db, sql } = connection;
  const { team, owner } = await createTeam(connection, { name: "Zebra" });
  const other = await createTeam(connection, { name: "apple" });
  await sql`insert into members (team_id, user_id, role)
    values (${other.team.id}, ${owner.user.id}, 'member')`;
  const expected = [
    { handle: other.team.handle, name: "apple", role: "member" },
    { handle: team.handle, name: "Zebra", role: "owner" },
  ];
  for (const bearer of [await keyOf(connection, owner), await logInApp(app, owner.user.email)])
    expect(JSON.parse((await ask(app, bearer, "/teams")).body)).toEqual(expected);
  const { session } = await createLogin(db, await createUser(db));
  const { key } = await createKey(db, session);
  expect(JSON.parse((await ask(app, key, "/teams")).body)).toEqual([]);
  const narrow = await keyOf(connection, owner, ["projects:read"]);
  expect(code(await ask(app, narrow, "/teams"))).toEqual([403, "insufficient-scope"]);
});

test("a list is read page by page, to its end, also while rows are added", async ({
  app,
  connection,
}) => {
  const { sql } = connection;
  const { team, key, project } = await createTeam(connection);
  // In one statement, so all rows have the same time and the id decides the order.
  await sql`
    insert into projects (team_id, name)
    select ${team.id}, 'Project ' || n from generate_series(1, 6) n`;
  await sql`
    insert into notes (team_id, project_id, body)
    select ${team.id}, ${project}, 'Note ' || n from generate_series(1, 6) n`;
  for (const [list, path] of [
    ["projects", `/teams/${team.handle}/projects`],
    ["notes", `/teams/${team.handle}/projects/${project}/notes`],
  ] as const) {
    const found: string[] = [];
    let next: string | null = null;
    do {
      const query: string = next ? `&cursor=${encodeURIComponent(next)}` : "";
      const page = JSON.parse((await ask(app, key, `${path}?limit=3${query}`)).body);
      found.push(...page[list].map(({ id }: { id: string }) => id));
      next = page.next;
      if (list === "projects")
        await sql`insert into projects (team_id, name) values (${team.id}, 'Newer')`;
    } while (next);
    expect(found).toHaveLength(7);
    expect(new Set(found).size).toBe(7);
  }
});

test("the answer to a wrong query or body names the field, and nothing changes", async ({
  app,
  connection,
}) => {
  const { team, key, keyId, project } = await createTeam(connection);
  await markTeamKeysUsed(connection);
  expect(keyId).toBeTruthy();
  const before = await allRows(connection);
  const list = `/teams/${team.handle}/projects`;
  for (const [query, field] of [
    ["limit=0", "limit"],
    ["limit=101", "limit"],
    ["limit=1.5", "limit"],
    ["limit=x", "limit"],
    ["limit=", "limit"],
    ["limit=1&limit=2", "limit"],
    ["cursor=", "cursor"],
    ["cursor=x", "cursor"],
    ["cursor=1.x", "cursor"],
    [`cursor=99999999999999999.${project}`, "cursor"],
    [`cursor=1.${project}&cursor=2.${project}`, "cursor"],
    ["offset=1", "offset"],
  ])
    for (const path of [list, `${list}/${project}/notes`]) {
      const answer = await ask(app, key, `${path}?${query}`);
      expect(code(answer), query).toEqual([422, "invalid-input"]);
      expect(Object.keys(JSON.parse(answer.body).errors), query).toEqual([field]);
    }
  for (const [method, path, body, field] of [
    ["POST", list, { name: " " }, "name"],
    ["POST", list, { name: "x".repeat(101) }, "name"],
    ["POST", list, { name: "a\0b" }, "name"],
    ["POST", list, { name: "New", archived: true }, "archived"],
    ["POST", list, { name: "New", team_id: team.id }, "team_id"],
    ["PATCH", `${list}/${project}`, {}, "body"],
    ["PATCH", `${list}/${project}`, { archived: "yes" }, "archived"],
    ["PATCH", `${list}/${project}`, { name: null }, "name"],
    ["PATCH", `${list}/${project}`, { id: project }, "id"],
    ["POST", `${list}/${project}/notes`, { body: "" }, "body"],
    ["POST", `${list}/${project}/notes`, { body: "x".repeat(5001) }, "body"],
    ["POST", `${list}/${project}/notes`, { body: "New", author_id: project }, "author_id"],
  ] as const) {
    const answer = await ask(app, key, path, { method, body });
    expect(code(answer), JSON.stringify(body).slice(0, 40)).toEqual([422, "invalid-input"]);
    expect(Object.keys(JSON.parse(answer.body).errors)).toContain(field);
  }
  expect(await allRows(connection)).toEqual(before);
});
