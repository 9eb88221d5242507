import { sessionPolicy } from "@/lib/auth/policy";
import { rotateSession } from "@/lib/auth/sessions/rotate";
import { minutes } from "@/lib/time";
import { span } from "@/tests/support/ages";
import { expect, test } from "@/tests/support/end-to-end";
import { httpClient } from "@/tests/support/http-client";
import { allRows } from "@/tests/support/snapshot";
import { allActions, allPaths, createScenario } from "@/tests/support/surface";

test("no GET changes a row", async ({ app, connection }) => {
  const { token, linkPaths, fieldsOf } = await createScenario(connection);
  await connection.sql`update sessions set last_seen_at = now() - ${span(sessionPolicy.touchInterval + minutes(1))}::interval`;
  const before = await allRows(connection);
  const fields = Object.assign({}, ...allActions().map(fieldsOf));
  for (const path of [...allPaths(), ...linkPaths]) {
    for (const headers of [{}, { rsc: "1" }, { purpose: "prefetch" }])
      await httpClient(app, token).get(path, headers);
    // A form's fields, in the query.
    const query = new URLSearchParams(fields);
    await httpClient(app, token).get(`${path}?${query}`);
  }
  // Last seen is written after a response. Once it is there, all writes of the first
  // visits are done.
  await expect
    .poll(
      () => connection.sql`
      select from sessions where last_seen_at > now() - interval '1 minute'
        and token_hash = sha256(${token}::text::bytea)`,
    )
    .toHaveLength(1);
  // A visit stores its time and IP address, here that of this machine.
  const visited = (rows: string[] = []) => rows.map((row) => row.replace(/"ip": [^,]+/, ""));
  const after = await allRows(connection);
  expect({ ...after, sessions: visited(after.sessions) }).toEqual({
    ...before,
    sessions: visited(before.sessions),
  });
});

test("a slow GET with the old token does not erase the new one", async ({ app, connection }) => {
  const { token } = await createScenario(connection);
  const { sql, db } = connection;
  const slow = await sql.begin(async (blocker) => {
    await blocker`lock table sessions in access exclusive mode`;
    const answer = httpClient(app, token).get("/settings");
    // Match the lookup only: streams of earlier requests may read the table too.
    await expect
      .poll(
        () => sql`
        select from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock'
          and strpos(query, '"token_hash" = $1') > 0`,
      )
      .toHaveLength(1);
    return { answer };
  });
  const rotated = await rotateSession(db, token, ["pwd"]);
  expect((await slow.answer).setCookie).toEqual([]);

  // Nor does the next request, which arrives too late.
  const late = await httpClient(app, token).get("/settings");
  expect([late.status, late.setCookie]).toEqual([307, []]);
  expect((await httpClient(app, rotated?.token).get("/settings")).status).toBe(200);
});
