import fc from "fast-check";
import { createKey } from "@/tests/support/api-keys";
import { expect, test } from "@/tests/support/end-to-end";
import { randomClientIp, send } from "@/tests/support/http-client";
import { expectAnswer, headers, seed, text, visible } from "@/tests/support/random";
import { allRows, deleteAllRows } from "@/tests/support/snapshot";
import { createLogin, createUser } from "@/tests/support/users";

/* Random requests to every route of the API. */

test.beforeEach(({ connection }) => deleteAllRows(connection));

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
