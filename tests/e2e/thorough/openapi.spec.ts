import { readFileSync } from "node:fs";
import type { DocumentedOperation, JsonSchema, OpenApi } from "@/lib/api/openapi";
import { type Scope, scopes } from "@/lib/auth/tokens/api-keys";
import type { Connection } from "@/lib/db/client";
import { createKey } from "@/tests/support/api-keys";
import type { App } from "@/tests/support/app";
import { expect, test } from "@/tests/support/end-to-end";
import { type Answer, randomClientIp, type SentHeaders, send } from "@/tests/support/http-client";
import { mismatch } from "@/tests/support/json-schema";
import { createKeyOf } from "@/tests/support/team-keys";
import { addTeam } from "@/tests/support/team-surface";
import { logInTo } from "@/tests/support/teams";
import { createLogin, createUser, password, type TestUser } from "@/tests/support/users";

/*
 * Compares the document that the running build serves with the build itself: the document has every
 * route, and every documented example and every refused request gets a documented response.
 */

type Call = { path: string; method: string; operation: DocumentedOperation };

async function documentOf(app: App): Promise<OpenApi> {
  const { body, headers } = await send(app.origin, "/api/openapi.json", "GET", {});
  expect(headers["content-type"]).toContain("application/json");
  return JSON.parse(body);
}

const callsOf = (document: OpenApi): Call[] =>
  Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  );

/** Calls the API as a program does: no cookie and none of the headers that browsers add. */
function call(
  app: App,
  { path, method, operation }: Call,
  { body, bearer, headers }: { body?: unknown; bearer?: string; headers?: SentHeaders } = {},
): Promise<Answer> {
  const parameters = operation.parameters ?? [];
  const inQuery = parameters.filter((parameter) => parameter.in === "query");
  const query = new URLSearchParams(inQuery.map(({ name, example }) => [name, example]));
  const address = parameters.reduce(
    (rest, { name, example }) => rest.replace(`{${name}}`, example),
    query.size > 0 ? `${path}?${query}` : path,
  );
  const text =
    typeof body === "string" ? body : body === undefined ? undefined : JSON.stringify(body);
  return send(
    app.origin,
    address,
    method.toUpperCase(),
    {
      "content-type": text === undefined ? undefined : "application/json",
      authorization: bearer && `Bearer ${bearer}`,
      ...randomClientIp(),
      ...headers,
    },
    text === undefined ? undefined : Buffer.from(text),
  );
}

/** Expects a documented response: its status, its content type, and the shape of its body. */
function expectDocumented(document: OpenApi, { operation }: Call, answer: Answer): void {
  const what = `${operation.operationId}: ${answer.status} ${answer.body}`;
  const documented = operation.responses[`${answer.status}`];
  expect(documented, what).toBeDefined();
  expect(answer.headers["cache-control"], what).toContain("no-store");
  const kind = `${answer.headers["content-type"] ?? ""}`.split(";")[0] ?? "";
  if (!documented?.content) {
    expect(answer.body, what).toBe("");
    return;
  }
  const content = documented.content[kind];
  expect(content, `${what} (${kind})`).toBeDefined();
  const schema = content?.schema as JsonSchema; // asserted above
  expect(mismatch(document, schema, JSON.parse(answer.body)), what).toBeUndefined();
  if (kind === "application/problem+json")
    expect(Object.keys(content?.examples ?? {}), what).toContain(JSON.parse(answer.body).code);
}

/**
 * Creates a user with one of each thing that an example may name. `path` determines what kind of
 * thing an id names.
 */
async function createExampleOwner(app: App, connection: Connection, documented: Call[], path = "") {
  const { db } = connection;
  const user = await createUser(db);
  const { session } = await createLogin(db, user);
  const other = await createLogin(db, user);
  const { key } = await createKey(db, session);
  const team = await addTeam(connection, user, await createUser(db));
  const { scope } = await logInTo(db, { ...team, name: "" }, user);
  const logIn = documented.find(({ path }) => path === "/api/v1/token");
  const answer = logIn && (await call(app, logIn, { body: { email: user.email, password } }));
  const tokens = JSON.parse(answer?.body ?? "{}");
  return {
    user,
    session,
    bearers: {
      ...{ apiKey: key, teamKey: (await createKeyOf(db, scope)).key },
      accessToken: `${tokens.access_token}`,
    } as Record<string, string>,
    values: {
      email: user.email,
      password,
      refresh_token: tokens.refresh_token,
      id: path.includes("/projects/") ? team.project : other.session.id,
      team: team.handle,
    },
  };
}

/** Returns the call with this user's ids in its path. */
function ofOwner(documented: Call, values: Record<string, string>): Call {
  const parameters = documented.operation.parameters?.map((parameter) => ({
    ...parameter,
    example: values[parameter.name] ?? parameter.example,
  }));
  return { ...documented, operation: { ...documented.operation, parameters } };
}

/** Returns the documented example, with this user's values in place of the documented ones. */
function filled<T>(example: T, values: Record<string, unknown>): T {
  if (typeof example !== "object" || example === null) return example;
  const known = Object.entries(values).filter(([name]) => name in example);
  return { ...example, ...Object.fromEntries(known) };
}

test("the document has every route of the build below /api/v1, and no other", async ({ app }) => {
  const routes: Record<string, string> = JSON.parse(
    readFileSync(".next/app-path-routes-manifest.json", "utf8"),
  );
  const built = Object.values(routes)
    // The catch-all route, which responds to all other paths with a problem, is not documented.
    .filter((route) => route.startsWith("/api/v1/") && !route.includes("[..."))
    .map((route) => route.replaceAll(/\[(\w+)\]/g, "{$1}"));
  const document = await documentOf(app);
  expect(Object.keys(document.paths).sort()).toEqual(built.sort());
});

test("each route answers to the documented methods, and to no others", async ({ app }) => {
  const document = await documentOf(app);
  for (const [path, methods] of Object.entries(document.paths)) {
    const [operation] = Object.values(methods);
    for (const method of ["get", "post", "put", "patch", "delete"]) {
      if (!operation || method in methods) continue;
      const { status } = await call(app, { path, method, operation });
      expect([404, 405], `${method} ${path}`).toContain(status);
    }
  }
});

test("each documented example is answered as documented, with each kind of bearer", async ({
  app,
  connection,
}) => {
  const document = await documentOf(app);
  for (const documented of callsOf(document)) {
    const { operation } = documented;
    const kinds = operation.security.flatMap((scheme) => Object.keys(scheme));
    for (const kind of kinds.length > 0 ? kinds : [undefined]) {
      const { bearers, values } = await createExampleOwner(
        ...[app, connection, callsOf(document), documented.path],
      );
      const example = operation.requestBody?.content["application/json"]?.example;
      const answer = await call(app, ofOwner(documented, values), {
        body: example && filled(example, values),
        bearer: kind && bearers[kind],
      });
      expect(answer.status, `${operation.operationId}: ${answer.body}`).toBeLessThan(300);
      expectDocumented(document, documented, answer);
    }
  }
});

test("each refusal is a documented problem", async ({ app, connection }) => {
  const document = await documentOf(app);
  for (const documented of callsOf(document)) {
    const { operation } = documented;
    const { bearers, values } = await createExampleOwner(
      ...[app, connection, callsOf(document), documented.path],
    );
    const wanted = operation.security.length > 0;
    const [kind] = operation.security.flatMap((scheme) => Object.keys(scheme));
    const bearer = kind && bearers[kind];
    const wrong: Parameters<typeof call>[2][] = [];
    if (operation.requestBody) {
      const example = operation.requestBody.content["application/json"]?.example;
      const wrongFields = { refresh_token: "nothing", password: "wrong" };
      const bodies = [
        ...["{", [], "x".repeat(70_000)],
        { ...Object(filled(example, values)), ...wrongFields },
        ...(operation.requestBody.required ? ["", {}] : []),
      ];
      for (const body of bodies) wrong.push({ body, bearer: wanted ? bearer : undefined });
    }
    if (wanted) wrong.push({}, { bearer: "nothing" }, { bearer: `${bearer}x` });
    const body = operation.requestBody && values;
    wrong.push({ bearer, body, headers: { origin: "https://evil.example" } });
    const calls = wrong.map((given) => ({ called: ofOwner(documented, values), given }));
    // With the documented ids, which do not exist.
    if (operation.parameters) calls.push({ called: documented, given: { bearer } });
    for (const { called, given } of calls) {
      const answer = await call(app, called, given);
      const what = `${operation.operationId} ${JSON.stringify(given).slice(0, 80)}: ${answer.status}`;
      if (operation.operationId !== "revokeToken" || answer.status >= 300)
        expect(answer.status, what).toBeGreaterThanOrEqual(400);
      expect(answer.status, what).toBeLessThan(500);
      expectDocumented(document, documented, answer);
      if (answer.status === 401 && wanted)
        expect(answer.headers["www-authenticate"], what).toMatch(/^Bearer/);
    }
  }
});

test("a key without the scope is refused with the scope's name, and changes nothing", async ({
  app,
  connection,
}) => {
  const document = await documentOf(app);
  const { db, sql } = connection;
  for (const documented of callsOf(document)) {
    const [scope] = documented.operation.security.flatMap(({ apiKey }) => apiKey ?? []);
    if (!scope) continue;
    const user: TestUser = await createUser(db);
    const { session } = await createLogin(db, user);
    const others = scopes.filter((each) => each !== scope);
    const { key } = await createKey(db, session, { scopes: others as Scope[] });
    const answer = await call(app, documented, { bearer: key });
    expect(answer.status, documented.operation.operationId).toBe(403);
    expect(answer.headers["www-authenticate"]).toContain(`error="insufficient_scope"`);
    expect(answer.headers["www-authenticate"]).toContain(`scope="${scope}"`);
    expectDocumented(document, documented, answer);
    expect(await sql`select from sessions where user_id = ${user.id}`).toHaveLength(1);
  }
});
