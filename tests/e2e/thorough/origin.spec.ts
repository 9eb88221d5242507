import { expect, test } from "@/tests/support/end-to-end";
import {
  type Answer,
  type HttpClient,
  httpClient,
  type SentHeaders,
} from "@/tests/support/http-client";
import { allRows, deleteAllRows } from "@/tests/support/snapshot";
import { allActions, createScenario, type Scenario, ways } from "@/tests/support/surface";

/*
 * Every mutation, with every kind of request that does not come from our own page. Without
 * proxy.ts, Next turns the refusal into a 500, but rows stay unchanged all the same.
 */

test.beforeEach(({ connection }) => deleteAllRows(connection));

type Call = (visitor: HttpClient, who: Scenario, headers: SentHeaders) => Promise<Answer>;

const mutations: Record<string, Call> = {
  "POST /logout": (client, _, headers) => client.post("/logout", "", headers),
  "POST /settings/profile/data": (client, _, headers) =>
    client.post("/settings/profile/data", "", headers),
  "POST /with/github": (client, _, headers) => client.post("/with/github", "", headers),
};
for (const [way, call] of Object.entries(ways))
  for (const action of allActions())
    mutations[`${action.name} ${way}`] = (client, who, headers) =>
      call(client, action, who.fieldsOf(action), headers);

const evil = "https://evil.example";

const foreign: Record<string, (origin: string) => SentHeaders> = {
  "another site's page": () => ({ origin: evil, "sec-fetch-site": "cross-site" }),
  "another origin alone": () => ({ origin: evil, "sec-fetch-site": undefined }),
  "another origin that claims to be the same": () => ({ origin: evil }),
  "a sandboxed frame (Origin: null)": () => ({ origin: "null", "sec-fetch-site": "cross-site" }),
  "Origin: null that claims to be the same": () => ({ origin: "null" }),
  "Origin: null alone": () => ({ origin: "null", "sec-fetch-site": undefined }),
  "no Origin and no Sec-Fetch-Site": () => ({ origin: undefined, "sec-fetch-site": undefined }),
  "our origin, cross-site": () => ({ "sec-fetch-site": "cross-site" }),
  "our origin, a sibling domain": () => ({ "sec-fetch-site": "same-site" }),
  "our origin, typed by the user": () => ({ "sec-fetch-site": "none" }),
  "a cross-site page without Origin": () => ({ origin: undefined, "sec-fetch-site": "cross-site" }),
  "an unknown Sec-Fetch-Site": () => ({ "sec-fetch-site": "Same-Origin, same-origin" }),
  "another origin behind a matching X-Forwarded-Host": () => ({
    ...{ origin: evil, "x-forwarded-host": "evil.example", "x-forwarded-proto": "https" },
    "sec-fetch-site": undefined,
  }),
  "another origin behind a matching Host": () => ({
    ...{ origin: evil, host: "evil.example", "x-forwarded-host": "evil.example" },
    "sec-fetch-site": undefined,
  }),
  "our host over http": (origin) => ({ origin: origin.replace("https:", "http:") }),
  "our host on another port": (origin) => ({ origin: origin.replace(/\d+$/, "8443") }),
  "our origin with a slash": (origin) => ({ origin: `${origin}/` }),
  "our origin in capitals": (origin) => ({ origin: origin.toUpperCase() }),
  "our origin as a prefix": (origin) => ({ origin: `${origin}.evil.example` }),
  "our origin as a suffix": (origin) => ({ origin: `https://evil.example#${origin}` }),
  "our origin and another": (origin) => ({ origin: `${origin}, ${evil}` }),
  "an Origin that is no address": () => ({ origin: "%%%" }),
  "an Origin that ends early": () => ({ origin: "https://" }),
  "an Origin with an open bracket": () => ({ origin: "http://[" }),
  "an empty Origin": () => ({ origin: "" }),
};

for (const [who, headers] of Object.entries(foreign)) {
  test(`${who}: nothing runs`, async ({ app, connection, withoutProxy }) => {
    const who = await createScenario(connection);
    const before = await allRows(connection);
    const calls = Object.entries(mutations).map(async ([what, call]) => {
      const answer = await call(httpClient(app), who, {
        cookie: who.cookie,
        ...headers(app.origin),
      });
      if (withoutProxy) expect(answer.status, what).toBeGreaterThanOrEqual(400);
      else expect(answer.status, what).toBe(403);
      expect(answer.setCookie, what).toEqual([]);
    });
    await Promise.all(calls);
    expect(await allRows(connection)).toEqual(before);
  });
}

/**
 * Our own page's requests, in browsers that leave out one of the two headers. Both headers
 * together: each action of tests/e2e/guards.spec.ts.
 */
const ours: Record<string, SentHeaders> = {
  "from a browser without Sec-Fetch-Site": { "sec-fetch-site": undefined },
  "from a browser that leaves out Origin": { origin: undefined },
};

for (const [turn, [who, headers]] of Object.entries(ours).entries()) {
  test(`our own page ${who}: everything runs`, { tag: "@with-proxy" }, async ({
    app,
    connection,
  }) => {
    for (const [what, call] of Object.entries(mutations)) {
      if (!isOfTurn(what, turn)) continue;
      const [action] = what.split(" ");
      const who = await createScenario(connection, "admin", action);
      const before = await allRows(connection);
      const answer = await call(httpClient(app), who, { cookie: who.cookie, ...headers });
      expect(answer.status, what).toBeLessThan(400);
      const changed = JSON.stringify(await allRows(connection)) !== JSON.stringify(before);
      const [, alert = ""] = /role="alert"[^>]*>(.*?)<\//.exec(answer.body) ?? [];
      const told = `${what}: ${answer.status} ${answer.headers.location ?? ""} ${alert}`;
      expect(changed || answer.setCookie.length > 0, told).toBe(true);
    }
  });
}

/** Alternates, so that each action and each way of calling one is tested with both browsers. */
function isOfTurn(what: string, turn: number): boolean {
  const way = Object.keys(ways).findIndex((each) => what.endsWith(` ${each}`));
  const action = allActions().findIndex(({ name }) => what.startsWith(`${name} `));
  return action < 0 || (action + way + turn) % 2 === 0;
}
