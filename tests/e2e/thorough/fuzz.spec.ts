import fc from "fast-check";
import type { App } from "@/tests/support/app";
import { expect, test } from "@/tests/support/end-to-end";
import { httpClient } from "@/tests/support/http-client";
import { expectAnswer, headers, seed, text, visible } from "@/tests/support/random";
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
 * Random requests to every action and page. None may cause a server error, and none may change rows
 * that its sender may not change. Those to the API are in fuzz-api.spec.ts.
 */

test.beforeEach(({ connection }) => deleteAllRows(connection));

const value = fc.oneof(
  text.map((each) => [each]),
  fc.array(text, { minLength: 2, maxLength: 3 }),
  text.map((each) => [new Blob([each])]),
  fc.constant([]),
);

type Call = {
  action: Action;
  way: "form" | "fetch";
  /**
   * The changed fields, each as its index among the action's fields and its values. `added`: values
   * of fields that the action does not have.
   */
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

/** Sends the call as a form without JavaScript, or as React does. */
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

/** Removes a random cookie from a request with a session's token: the sender is not random. */
function withoutCookie(given: Record<string, string>, token?: string): Record<string, string> {
  const { cookie, ...rest } = given;
  return token || cookie === undefined ? rest : given;
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
