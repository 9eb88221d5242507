import { hashToken } from "@/lib/auth/secrets";
import { newApiKey } from "@/lib/auth/tokens/api-key-format";
import { createKey } from "@/tests/support/api-keys";
import { type Answer, send } from "@/tests/support/http-client";
import { isOfApi, limiterCalls } from "@/tests/support/limiter-calls";
import {
  by,
  type Case,
  ofActingUsers,
  ofNetwork,
  ofSite,
  ofUser,
  type Scene,
  testCases,
} from "@/tests/support/limiter-cases";
import { createLogin, password } from "@/tests/support/users";

/* The API's calls of the rate limiter: see limiter-calls.spec.ts. */

const calls = limiterCalls().filter(({ id }) => isOfApi(id));

/** Cases by function and file. A call without an entry fails with what to write here. */
const cases: Record<string, Case[]> = {
  ...ofActingUsers(calls),
  "POST app/api/v1/token/route.ts": [
    { ...by("logInPerAccountAndAddress", ({ user, ip }) => [user.email, ip]), request: logIn },
    ...ofNetwork("logInPerAddress").map((each) => ({ ...each, request: logIn })),
    ...ofSite(logIn),
  ],
  "POST app/api/v1/token/confirm/route.ts": ofUser("confirmPerUser", confirm).map(withApp),
  "DELETE app/api/v1/sessions/[id]/route.ts": ofUser("endPerUser", endSession).map(withKey),
  "consumeWrite app/api/v1/teams/[team]/projects/_projects.ts": [
    { ...by("writePerKey", ({ team }) => [team.teamKey]), request: addProject },
  ].map(withTeamKey),
  "consumeWrite app/api/v1/teams/[team]/projects/_projects.ts #2": ofUser(
    "writePerUser",
    addProject,
  ).map(withKey),
};

testCases("tests/e2e/thorough/limiter-calls-api.spec.ts", calls, cases);

/** The request presents an API key with all scopes. */
function withKey(given: Case): Case {
  return {
    ...given,
    async fill(scene) {
      const { db, sql } = scene.connection;
      const { session } = await createLogin(db, scene.user);
      const { id, key } = await createKey(db, session);
      // Mark it as just used. Otherwise each request would record that the key was used.
      await sql`update api_keys set last_used_at = now() where id = ${id}`;
      scene.headers.authorization = `Bearer ${key}`;
      await given.fill(scene);
    },
  };
}

/** The request presents the team's key. */
function withTeamKey(given: Case): Case {
  return {
    ...given,
    async fill(scene) {
      const key = newApiKey("team");
      await scene.connection.sql`
        update team_keys set key_hash = ${hashToken(key)}, scopes = '{projects:write}',
          last_used_at = now()
        where id = ${scene.team.teamKey}`;
      scene.headers.authorization = `Bearer ${key}`;
      await given.fill(scene);
    },
  };
}

/** The request presents the access token of an app. */
function withApp(given: Case): Case {
  return {
    ...given,
    async fill(scene) {
      const { access_token } = JSON.parse((await logIn(scene)).body);
      scene.headers.authorization = `Bearer ${access_token}`;
      await given.fill(scene);
    },
  };
}

function confirm({ app, headers }: Scene): Promise<Answer> {
  const sent = { ...headers, "content-type": "application/json" };
  const body = Buffer.from(JSON.stringify({ password }));
  return send(app.origin, "/api/v1/token/confirm", "POST", sent, body);
}

function logIn({ app, user, headers }: Scene): Promise<Answer> {
  const body = Buffer.from(JSON.stringify({ email: user.email, password }));
  const sent = { ...headers, "content-type": "application/json" };
  return send(app.origin, "/api/v1/token", "POST", sent, body);
}

function addProject({ app, team, headers }: Scene): Promise<Answer> {
  const sent = { ...headers, "content-type": "application/json" };
  const body = Buffer.from(JSON.stringify({ name: "Another project" }));
  return send(app.origin, `/api/v1/teams/${team.handle}/projects`, "POST", sent, body);
}

function endSession({ app, fieldsOf, headers }: Scene): Promise<Answer> {
  const { id } = fieldsOf({ name: "logOutDevice" });
  return send(app.origin, `/api/v1/sessions/${id}`, "DELETE", headers);
}
