import { expect, test, thorough } from "@/tests/support/end-to-end";
import { type Answer, httpClient, type SentHeaders } from "@/tests/support/http-client";
import { allRows, deleteAllRows } from "@/tests/support/snapshot";
import {
  type Action,
  allActions,
  allPages,
  allPaths,
  ask,
  createScenario,
  type Fields,
  flight,
  formBody,
  linkPages,
  publicActions,
  ways,
} from "@/tests/support/surface";
import { createLogin, createUser } from "@/tests/support/users";

/*
 * Requests every path of the running build, without a session or with another user's.
 * tests/app/guards.test.ts checks in the source that each page, handler and action
 * checks its caller.
 */

test.beforeEach(({ connection }) => deleteAllRows(connection));

/** Kinds of requests that made some version of Next respond past a guard. */
const requests: Record<string, (path: string) => [string, SentHeaders]> = {
  "a page": (path) => [path, {}],
  "a flight": (path) => [path, flight],
  "a prefetch": (path) => [path, { ...flight, "next-router-prefetch": "1" }],
  "a segment prefetch": (path) => [
    path,
    { ...flight, "next-router-prefetch": "1", "next-router-segment-prefetch": "/_tree" },
  ],
  "a segment": (path) => [`${path}.segments/_full.segment.rsc`, flight],
  "an .rsc file": (path) => [`${path === "/" ? "/index" : path}.rsc`, {}],
  "a request that claims to be internal": (path) => [
    path,
    { "x-middleware-subrequest": Array(5).fill("proxy").join(":"), "x-matched-path": path },
  ],
  "a request that claims to be rewritten": (path) => [
    "/login",
    {
      "x-middleware-rewrite": path,
      "x-rewrite-url": path,
      "x-original-url": path,
      "x-invoke-path": path,
    },
  ],
};

/** The only pages that respond without a session. */
const publicPages = [
  ...["/", "/login", "/signup", "/forgot-password", "/confirm-browser", "/api/health"],
  ...["/docs/api", "/api/openapi.json", "/.well-known/jwks.json"],
  "/pricing",
  "/.well-known/passkey-endpoints",
  ...["/icon.svg", "/apple-icon", "/robots.txt", "/sitemap.xml"],
  "/opengraph-image-pwu6ef", // Next appends a hash of the group's name

  // Here the token of the mailed link is the authorization.
  ...Object.values(linkPages).map((page) => `${page}/<token>`),
];

/** The path that a visitor returns to after the login, if not the requested one. */
const leadBack: Record<string, string> = {
  "/confirm": "/confirm?next=%2Fdashboard",
  "/login/code": "/dashboard",
  "/login/recovery": "/dashboard",
};

test("proxy.ts runs unless the Playwright project turns it off", async ({ app, withoutProxy }) => {
  const { status } = await httpClient(app).get("/%");
  expect(status).toBe(withoutProxy ? 200 : 400);
});

for (const [kind, request] of Object.entries(requests)) {
  const details = kind === "a page" ? {} : thorough;
  test(`${kind}, without a session, shows no user data`, details, async ({ app, connection }) => {
    const { user, token } = await createScenario(connection);
    const ended = await createScenario(connection);
    await connection.sql`delete from sessions where user_id = ${ended.user.id}`;

    for (const path of allPaths()) {
      for (const dead of [undefined, ended.token]) {
        const answer = await ask(httpClient(app, dead), ...request(path));
        // /unavailable always responds 503 and reveals nothing else.
        expect(answer.status, path).toBeLessThan(path === "/unavailable" ? 504 : 500);
        for (const secret of [user.email, user.id, ended.user.email, ended.user.id, token])
          expect(answer.body, path).not.toContain(secret);
      }
    }
  });
}

for (const kind of ["a page", "a flight"]) {
  test(`${kind}, with a session, shows user data`, async ({ app, connection }) => {
    const { user, token } = await createScenario(connection);
    for (const path of ["/settings", "/settings/profile"]) {
      const [address, headers] = requests[kind]?.(path) ?? [path, {}];
      expect((await ask(httpClient(app, token), address, headers)).body).toContain(user.email);
    }
  });
}

test("a page that needs a session leads to the login and back", async ({ app }) => {
  const isPublic = (path: string) => publicPages.includes(path.replace(/\/[\w-]{43}$/, "/<token>"));
  for (const path of allPages().filter((each) => !isPublic(each))) {
    const { status, headers } = await httpClient(app).get(path);
    expect(status, path).toBe(307);
    const back = leadBack[path] ?? path;
    expect(headers.location).toBe(`/login?next=${encodeURIComponent(back)}`);
  }
});

test("every page shown without a session is on the public list", async ({ app }) => {
  const answered = [];
  for (const path of allPaths())
    if ((await httpClient(app).get(path)).status === 200)
      answered.push(path.replace(/\/[\w-]{43}$/, "/<token>"));
  const what = "Add the pages that need no session to publicPages.";
  expect(answered.sort(), what).toEqual([...publicPages].sort());
});

const protectedActions = allActions().filter(({ name }) => !publicActions.includes(name));

for (const [way, call] of Object.entries(ways)) {
  const tag = way === "by fetch" ? "" : " @thorough";
  test(`each action ${way}, without a session, is refused and changes nothing${tag}`, async ({
    app,
    connection,
  }) => {
    const { fieldsOf } = await createScenario(connection);
    const ended = await createScenario(connection);
    await connection.sql`delete from sessions where user_id = ${ended.user.id}`;
    const before = await allRows(connection);
    for (const action of protectedActions) {
      for (const dead of [undefined, ended.token]) {
        const answer = await call(httpClient(app, dead), action, fieldsOf(action));
        expect(refusal(answer), action.name).toBe(true);
        expect(await allRows(connection), action.name).toEqual(before);
      }
    }
  });

  test(`each action ${way}, as another user, changes no row of the ids' owner${tag}`, async ({
    app,
    connection,
  }) => {
    const owner = await createScenario(connection);
    const rowsOfOwner = async () =>
      Object.values(await allRows(connection))
        .flat()
        .filter((row) =>
          [owner.user.id, owner.target.id, owner.team.id].some((id) => row.includes(id)),
        );
    const before = await rowsOfOwner();
    const asAnother = async (action: Action, fields: Fields) => {
      const { token } = await createLogin(connection.db, await createUser(connection.db));
      return call(httpClient(app, token), action, fields);
    };
    for (const action of protectedActions) {
      const fields = owner.fieldsOf(action);
      const foreign = await asAnother(action, fields);
      expect(await rowsOfOwner(), action.name).toEqual(before);
      if (!("id" in fields)) continue;

      // The response is also the same for an id that exists and one that does not.
      const made = { ...owner.fieldsOf(action), id: "0d7a3c55-31c6-4f0f-9c39-0f0a1f4f7b1e" };
      const unknown = await asAnother(action, made);
      expect([foreign.status, target(foreign)], action.name).toEqual([
        unknown.status,
        target(unknown),
      ]);
    }
  });

  test(`each action ${way}, with the owner's session, succeeds`, {
    tag: ["@with-proxy", thorough.tag],
  }, async ({ app, connection }) => {
    for (const action of protectedActions) {
      const { token, fieldsOf } = await createScenario(connection, "admin", action.name);
      const before = await allRows(connection);
      const answer = await call(httpClient(app, token), action, fieldsOf(action));
      expect(refusal(answer), action.name).toBe(false);
      expect(await allRows(connection), action.name).not.toEqual(before);
    }
  });
}

test("the administration answers 404 to a user who is no admin, with a fresh proof or without", async ({
  app,
  connection,
}) => {
  const { sql } = connection;
  const { user, token, target, fieldsOf } = await createScenario(connection, "user");
  const admin = await createScenario(connection);
  const pages = [...allPaths().filter((path) => path.startsWith("/admin")), "/admin/nothing"];
  pages.push(`/admin/users/${target.id}`, `/admin/users/${user.id}`);
  const actions = allActions().filter(({ file }) => file.includes("/admin/"));
  expect(actions.length).toBeGreaterThan(5);

  for (const age of ["0 minutes", "1 day"]) {
    await sql`update sessions set authenticated_at = now() - ${age}::interval
      where user_id in ${sql([user.id, admin.user.id])}`;
    const before = await allRows(connection);
    for (const path of pages) {
      const [answer, there] = [
        await httpClient(app, token).get(path),
        await httpClient(app, admin.token).get(path),
      ];
      expect(answer.status, path).toBe(404);
      expect(answer.body, path).not.toContain(target.email);
      if (path.endsWith(target.id)) expect(there.status).toBe(age === "0 minutes" ? 200 : 307);
    }
    for (const action of actions)
      for (const call of Object.values(ways))
        expect(
          (await call(httpClient(app, token), action, fieldsOf(action))).status,
          action.name,
        ).toBe(404);
    expect(await allRows(connection)).toEqual(before);
  }
});

test("a login that waits for its code opens no page and no stream, and runs no action", async ({
  app,
  connection,
}) => {
  const { cookie, fieldsOf } = await createScenario(connection);
  const pending = `${cookie.split("; ").find((each) => each.startsWith("__Host-login="))}`;
  const before = await allRows(connection);
  const isOpen = (path: string) => publicPages.includes(path.replace(/\/[\w-]{43}$/, "/<token>"));
  const ofLogin = Object.keys(leadBack).filter((path) => path.startsWith("/login/"));
  for (const path of allPages().filter((each) => !isOpen(each) && !ofLogin.includes(each))) {
    const { status, headers } = await httpClient(app).get(path, { cookie: pending });
    expect([status, headers.location?.startsWith("/login?")], path).toEqual([307, true]);
  }
  const [stream, without] = [
    await httpClient(app).get("/live", { cookie: pending }),
    await httpClient(app).get("/live"),
  ];
  expect([stream.status, stream.body]).toEqual([without.status, without.body]);
  for (const action of protectedActions) {
    const body = formBody(action, Object.entries(fieldsOf(action)));
    const answer = await httpClient(app).post(action.path, body, { cookie: pending });
    expect(refusal(answer), action.name).toBe(true);
  }
  expect(await allRows(connection)).toEqual(before);
});

test("no handler changes anything without a session", async ({ app, connection }) => {
  await createScenario(connection);
  const before = await allRows(connection);
  for (const path of allPaths()) {
    for (const body of ["", "{}", "id=1"]) {
      const answer = await httpClient(app).post(path, body);
      expect(answer.status, path).toBeLessThan(500);
    }
  }
  expect(await allRows(connection)).toEqual(before);
});

/** Whether an action redirected its caller to the login. */
function refusal(answer: Answer): boolean {
  return target(answer).startsWith("/login?next=");
}

/** Returns the redirect target of an action, in either form, without the kind of history entry. */
function target({ headers }: Answer): string {
  const header = headers["x-action-redirect"] ?? headers.location ?? "";
  return String(header).replace(/;(push|replace)$/, "");
}
