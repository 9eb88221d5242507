import { readFileSync } from "node:fs";
import { drizzle } from "drizzle-orm/postgres-js";
import postgres from "postgres";
import { afterAll, expect, it } from "vitest";
import { unknownClient } from "@/lib/audit";
import { invalidateAllUserSessions, invalidateSession } from "@/lib/auth/sessions/end";
import { revokeApiKey } from "@/lib/auth/tokens/api-keys";
import { logInApp } from "@/lib/auth/tokens/log-in";
import { revokeRefreshToken } from "@/lib/auth/tokens/refresh";
import type { Db } from "@/lib/db/client";
import { revokeTeamKey } from "@/lib/teams/keys";
import { createKey } from "@/tests/support/api-keys";
import { databaseUrl, db } from "@/tests/support/database";
import { createKeyOf } from "@/tests/support/team-keys";
import { createOwnedTeam } from "@/tests/support/teams";
import { createLogin, createUser, password } from "@/tests/support/users";

/* Checks the counts in the table "What it costs to take one back" in app/api/README.md. */

const statements: string[] = [];
const client = postgres(databaseUrl, {
  ...{ max: 1, debug: (_connection, query) => statements.push(query) },
});
const counted: Db = drizzle({ client });
afterAll(() => client.end());

async function createOwner() {
  const user = await createUser(db);
  const { session } = await createLogin(db, user);
  const other = (await createLogin(db, user)).session.id;
  const attempt = { email: user.email, password, deviceName: null, client: unknownClient };
  const app = await logInApp(db, attempt);
  if (!app.ok) throw new Error(app.reason);
  const { owner } = await createOwnedTeam(db);
  const keys = { key: await createKey(db, session), teamKey: await createKeyOf(db, owner.scope) };
  return { user, session, other, app, owner, ...keys };
}

type Owner = Awaited<ReturnType<typeof createOwner>>;

const ends: Record<string, (owner: Owner) => Promise<unknown>> = {
  "a session, web or app": ({ session, other }) => invalidateSession(counted, session, other),
  "all of a user's sessions": ({ user }) => invalidateAllUserSessions(counted, user.id),
  "a refresh token": ({ app }) => revokeRefreshToken(counted, app.refresh.token, unknownClient),
  "a key of the team": async ({ owner, teamKey }) =>
    revokeTeamKey(counted, owner.scope, teamKey.id),
  "an API key": ({ session, key }) => revokeApiKey(counted, session, key.id),
};

it.each(Object.entries(ends))(
  "%s ends with as many statements as the README says",
  async (what, end) => {
    await end(await createOwner()); // the first query on a connection also looks up types
    const owner = await createOwner();
    statements.length = 0;
    await end(owner);
    const row = new RegExp(`^\\| ${what} +\\| (\\d+) `, "m").exec(
      readFileSync("app/api/README.md", "utf8"),
    );
    expect(`${statements.length}`, statements.join("\n")).toBe(row?.[1]);
  },
);
