import fc from "fast-check";
import { createKey } from "@/tests/support/api-keys";
import type { App } from "@/tests/support/app";
import { expect, test } from "@/tests/support/end-to-end";
import { type Answer, httpClient, randomClientIp, send } from "@/tests/support/http-client";
import { allRows, deleteAllRows } from "@/tests/support/snapshot";
import {
  type Action,
  allActions,
  allPages,
  createScenario,
  dynamicSegments,
  formBody,
  pathOf,
  publicActions,
} from "@/tests/support/surface";
import { createLogin, createUser } from "@/tests/support/users";

/*
 * Requests of random shape to every action, page and route of the API: none may cause a server error, and none may
 * change what its sender has no right to. The seed is fixed, so that a run says the same of the same code: to
 * search further, change it.
 */

const seed = 20261129;

test.beforeEach(({ connection }) => deleteAllRows(connection));

const nasty = [
  ...[
    "",
    " ",
    "\0",
    "\ud800",
    "%",
    "%00",
    "%ff",
    "../..",
    "..%2f",
    "//evil.example",
    "javascript:1",
  ],
  ...["null", "undefined", "NaN", "-1", "1e309", "9".repeat(40), "[]", "{}", "[object Object]"],
  ...["__proto__", "constructor", "toString", "$1", "$K1", "$F1", "$@1", "$Q1", "$undefined"],
  ...["00000000-0000-0000-0000-000000000000", "\u202e名前", "👩‍👩‍👧‍👦", "ﬃ", "İ", "'; --", "<b>"],
];
const text = fc.oneof(
  fc.constantFrom(...nasty),
  fc.string({ unit: "binary", maxLength: 40 }),
  fc.string({ unit: "grapheme", maxLength: 300 }),
  fc.constant("x".repeat(20_000)),
);
/** Of what a URL and a header can hold. */
const visible = fc.oneof(
  text.map((each) => encodeURIComponent(each.toWellFormed()).slice(0, 2000)),
  fc.string({ unit: fc.constantFrom(..."%&=?;:[]{}\"'|^`,.~!*()$@+-_aZ09\\"), maxLength: 60 }),
);
const value = fc.oneof(
  text.map((each) => [each]),
  fc.array(text, { minLength: 2, maxLength: 3 }),
  text.map((each) => [new Blob([each])]),
  fc.constant([]),
);

/** Headers by which Next decides how to answer. */
const headers = fc.dictionary(
  fc.constantFrom(
    ...["rsc", "next-router-prefetch", "next-router-state-tree", "next-router-segment-prefetch"],
    ...["next-url", "next-html-request-id", "x-nextjs-data", "x-middleware-subrequest"],
    ...["x-refused", "x-path", "content-security-policy", "accept", "accept-encoding", "range"],
    ...["if-none-match", "x-forwarded-host", "x-forwarded-proto", "x-request-id", "cookie"],
  ),
  visible,
  { maxKeys: 3 },
);

type Call = {
  action: Action;
  way: "form" | "fetch";
  /** The values of a field, by its place among the action's; and of fields that it does not have. */
  changed: [number, (string | Blob)[]][];
  added: [string, (string | Blob)[]][];
  argument: string;
  headers: Record<string, string>;
};

function calls(actions: Action[]): fc.Arbitrary<Call> {
  return fc.record({
    action: fc.constantFrom(...actions),
    way: fc.constantFrom("form", "fetch"),
    changed: fc.array(fc.tuple(fc.nat(9), value), { maxLength: 3 }),
    added: fc.array(
      fc.tuple(
        fc.oneof(
          fc.constantFrom(
            "__proto__",
            "$ACTION_KEY",
            "$ACTION_REF_1",
            "$ACTION_1:0",
            "0",
            "1",
            "_1_",
          ),
          text,
        ),
        value,
      ),
      { maxLength: 2 },
    ),
    argument: fc.oneof(fc.constantFrom('[{},"$K1"]', '["$K1"]'), fc.json({ maxDepth: 3 }), text),
    headers,
  }) as fc.Arbitrary<Call>;
}

/** Sends it as a form without JavaScript, or as React does. */
function sendCall(app: App, call: Call, fields: Record<string, string>, token?: string) {
  const names = Object.keys(fields);
  const entries = new Map<string, (string | Blob)[]>(
    Object.entries(fields).map(([name, each]) => [name, [each]]),
  );
  for (const [place, values] of call.changed) {
    const name = names[place % Math.max(names.length, 1)];
    if (name) entries.set(name, values);
  }
  for (const [name, values] of call.added) entries.set(name, values);
  const list = [...entries].flatMap(([name, values]) =>
    values.map((each) => [name, each] as [string, string | Blob]),
  );
  const path = pathOf(call.action, fields);
  const client = httpClient(app, token);
  if (call.way === "form")
    return client.post(path, formBody(call.action, list), withoutCookie(call.headers, token));
  const body = new FormData();
  for (const [name, each] of list) body.append(`_1_${name}`, each);
  body.append("0", call.argument);
  return client.post(path, body, {
    ...{ "next-action": call.action.id, accept: "text/x-component" },
    ...withoutCookie(call.headers, token),
  });
}

/** Who sends a request is not random. */
function withoutCookie(given: Record<string, string>, token?: string): Record<string, string> {
  const { cookie, ...rest } = given;
  return token || cookie === undefined ? rest : given;
}

function expectAnswer({ status, body }: Answer): void {
  expect(status).toBeLessThan(500);
  expect(body).not.toMatch(/\bat \S+ \(\S+:\d+:\d+\)|node_modules/); // a stack
}

test("no random call of an action, by a visitor or another user, changes an owner's rows", async ({
  app,
  connection,
}) => {
  const owner = await createScenario(connection);
  const ids = [owner.user.id, owner.target.id, owner.team.id];
  const rowsOfOwner = async () =>
    Object.values(await allRows(connection))
      .flat()
      .filter((row) => ids.some((id) => row.includes(id)));
  const before = await rowsOfOwner();
  const { token } = await createLogin(connection.db, await createUser(connection.db));
  const actions = allActions().filter(({ name }) => !publicActions.includes(name));
  await fc.assert(
    fc.asyncProperty(calls(actions), fc.boolean(), async (call, known) => {
      const sender = known ? token : undefined;
      expectAnswer(await sendCall(app, call, owner.fieldsOf(call.action), sender));
      expect(await rowsOfOwner()).toEqual(before);
    }),
    { seed, numRuns: 250 },
  );
});

test("no random call of an action by its own user causes a server error", async ({
  app,
  connection,
}) => {
  await fc.assert(
    fc.asyncProperty(calls(allActions()), async (call) => {
      const { token, fieldsOf } = await createScenario(connection, "admin", call.action.name);
      expectAnswer(await sendCall(app, call, fieldsOf(call.action), token));
    }),
    { seed, numRuns: 120 },
  );
});

test("no random parameter of a page causes a server error or changes a row", async ({
  app,
  connection,
}) => {
  const { token, linkPaths } = await createScenario(connection);
  const names = ["next", "notice", "q", "show", "page", "before", "after", "team", "why", "email"];
  const request = fc.record({
    path: fc.constantFrom(...allPages(), ...linkPaths, "/live", "/upgrade", "/robots.txt"),
    part: fc.option(visible.filter((each) => each !== "")),
    query: fc.array(
      fc.tuple(fc.oneof(fc.constantFrom(...names, "__proto__", "_rsc"), visible), visible),
      { maxLength: 3 },
    ),
    headers,
    known: fc.boolean(),
  });
  const before = await allRows(connection);
  await fc.assert(
    fc.asyncProperty(request, async ({ path, part, query, headers: sent, known }) => {
      const address = part === null ? path : path.replace(dynamicSegments, () => part);
      const search = query.map(([name, each]) => `${name}=${each}`).join("&");
      const sender = known ? token : undefined;
      const url = search ? `${address}?${search}` : address;
      expectAnswer(await httpClient(app, sender).get(url, withoutCookie(sent, sender)));
      expect(await allRows(connection)).toEqual(before);
    }),
    { seed, numRuns: 300 },
  );
});

test("no random request to the API causes a server error, and no refused one changes a row", async ({
  app,
  connection,
}) => {
  const user = await createUser(connection.db);
  const { session } = await createLogin(connection.db, user);
  const { id, key } = await createKey(connection.db, session);
  await connection.sql`update api_keys set last_used_at = now() where id = ${id}`;
  const { body } = await send(app.origin, "/api/openapi.json", "GET", {});
  const { paths }: { paths: Record<string, Record<string, object>> } = JSON.parse(body);
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => ({ path, method: method.toUpperCase() })),
  );
  const fields = [
    "email",
    "password",
    "otp",
    "name",
    "device",
    "refresh_token",
    "grant_type",
    "archived",
  ];
  const json = fc.oneof(
    fc
      .dictionary(fc.constantFrom(...fields, "__proto__"), fc.jsonValue({ maxDepth: 2 }))
      .map((each) => JSON.stringify(each)),
    fc.json({ maxDepth: 4 }),
    text,
  );
  const request = fc.record({
    operation: fc.constantFrom(...operations),
    part: visible.filter((each) => each !== ""),
    query: visible,
    json,
    type: fc.oneof(fc.constant("application/json"), visible),
    headers,
    authorization: fc.oneof(
      fc.constant(`Bearer ${key}`),
      visible.map((each) => `Bearer ${each}`),
    ),
  });
  await fc.assert(
    fc.asyncProperty(request, async ({ operation, part, query, ...sent }) => {
      const before = await allRows(connection);
      const path = operation.path.replaceAll(/\{\w+\}/g, () => part);
      const answer = await send(
        app.origin,
        `${path}?${query}`,
        operation.method,
        {
          ...randomClientIp(),
          ...sent.headers,
          ...{ "content-type": sent.type, authorization: sent.authorization },
        },
        operation.method === "GET" ? undefined : Buffer.from(sent.json),
      );
      expectAnswer(answer);
      if (answer.status >= 400) expect(await allRows(connection)).toEqual(before);
    }),
    { seed, numRuns: 300 },
  );
});
