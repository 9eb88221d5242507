import { sessionPolicy } from "@/lib/auth/policy";
import { minutes } from "@/lib/time";
import { span } from "@/tests/support/ages";
import { expect, test } from "@/tests/support/end-to-end";
import { httpClient } from "@/tests/support/http-client";
import { createScenario } from "@/tests/support/surface";

test("a page costs one prepared statement and one round trip, for any number of lookups in it", async ({
  proxied: { app, proxy, connection },
}) => {
  const { token, user, team } = await createScenario(connection);
  const from = httpClient(app, token);
  const sent = async (path: string, as = from) => {
    await as.get(path); // the first on a connection also prepares the statement
    proxy.clear();
    await as.get(path);
    return proxy.messages.join("");
  };

  // Bind, Execute, Sync: one statement, already prepared, one round trip.
  expect(await sent("/settings/profile")).toBe("BES");
  expect(await sent("/")).toBe(""); // a static file of the build
  expect(await sent("/settings/devices")).toBe("BESBES");
  // The lookup includes the team, the role and the switcher. The other statement is the list.
  expect(await sent(`/t/${team.handle}`)).toBe("BESBES");
  expect(await sent("/dashboard")).toBe("BESBES");

  // No cookie, or a malformed token, costs no query.
  expect(await sent("/dashboard", httpClient(app))).toBe("");
  for (const garbage of ["x", "a".repeat(42), "a".repeat(44), `${token}=`, "!".repeat(43)])
    expect(await sent("/dashboard", httpClient(app, garbage))).toBe("");
  const twice = { cookie: `__Host-session=${token}; __Host-session=${token}` };
  proxy.clear();
  expect((await httpClient(app).get("/dashboard", twice)).status).toBe(307);
  expect(proxy.messages).toEqual([]);

  // Five minutes without a visit: one write for all of the concurrent requests.
  await connection.sql`update sessions set last_seen_at = now() - ${span(sessionPolicy.touchInterval + minutes(1))}::interval`;
  const seen = () => connection.sql<{ ctid: string; fresh: boolean }[]>`
    select ctid::text, last_seen_at > now() - interval '1 minute' as fresh
    from sessions where user_id = ${user.id} and token_hash = sha256(${token}::text::bytea)`;
  await Promise.all(Array.from({ length: 10 }, () => from.get("/settings/profile")));
  await expect.poll(async () => (await seen())[0]?.fresh).toBe(true);
  const [written] = await seen();
  // The app has one connection: a write after the first response would precede the second lookup.
  await from.get("/settings/profile");
  proxy.clear(); // the writes of the visits above have been sent by now
  await from.get("/settings/profile");
  await from.get("/settings/profile");
  expect(proxy.messages.join("")).toBe("BESBES");
  expect((await seen())[0]).toEqual(written);
});
