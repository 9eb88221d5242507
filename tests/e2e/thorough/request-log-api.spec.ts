import { readFile } from "node:fs/promises";
import { createKey } from "@/tests/support/api-keys";
import { expect, test } from "@/tests/support/end-to-end";
import { randomClientIp, send } from "@/tests/support/http-client";
import { loggedLine } from "@/tests/support/request-log";
import { createLogin, password } from "@/tests/support/users";

test("requests with an access token have its session in their line; no token or key is in the log", async ({
  app,
  user,
  connection,
}) => {
  const place = { ...randomClientIp(), "content-type": "application/json" };
  const post = (path: string, body: object) =>
    send(app.origin, path, "POST", place, Buffer.from(JSON.stringify(body)));
  const get = (path: string, bearer: string) =>
    send(app.origin, path, "GET", { ...place, authorization: `Bearer ${bearer}` });
  const login = await post("/api/v1/token", { email: user.email, password });
  const { access_token, refresh_token } = JSON.parse(login.body);
  const me = await get("/api/v1/me", access_token);
  const { session } = JSON.parse(me.body);
  expect(await loggedLine(app, me)).toMatchObject({
    ...{ method: "GET", path: "/api/v1/me", status: 200, session: session.id },
  });

  const { session: browser } = await createLogin(connection.db, user);
  const { key } = await createKey(connection.db, browser);
  const byKey = await get("/api/v1/me", key);
  expect((await loggedLine(app, byKey)).session).toBeUndefined();
  const one = await get(`/api/v1/sessions/${session.id}`, access_token);
  expect(await loggedLine(app, one)).toMatchObject({ path: "/api/v1/sessions/*" });
  const refreshed = await post("/api/v1/token/refresh", { refresh_token });
  expect(await loggedLine(app, refreshed)).toMatchObject({ path: "/api/v1/token/refresh" });

  const log = await readFile(app.log, "utf8");
  const secrets = [access_token, refresh_token, key, JSON.parse(refreshed.body).refresh_token];
  for (const secret of secrets) expect(log).not.toContain(secret);
});
