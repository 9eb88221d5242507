import { expect, it } from "vitest";
import { createLink } from "@/lib/auth/links";
import { createPendingLogin } from "@/lib/auth/login/pending-logins";
import { createVisit } from "@/lib/auth/login/provider-visits";
import { newToken } from "@/lib/auth/secrets";
import { createSignUp } from "@/lib/auth/sign-up-links";
import { runCommand } from "@/tests/support/commands";
import { databaseUrl, db, sql } from "@/tests/support/database";
import { addApiKey, wholeDatabase } from "@/tests/support/rows";
import { createOwnedTeam, insertInvitation, insertTeamKey } from "@/tests/support/teams";

/* Runs the command as typed, in production, on the database that DATABASE_URL names. */

const run = (...words: string[]) =>
  runCommand("db-restored", words, { NODE_ENV: "production", DATABASE_URL: databaseUrl });

const ending = [
  ...["sessions", "refresh_tokens", "links", "pending_logins", "pending_sign_ups"],
  ...["provider_visits", "invitations"],
];
const keys = ["api_keys", "team_keys"];

/** Inserts a backup's content: rows in each table that gives access. */
async function restore(): Promise<void> {
  await sql`truncate users, teams, pending_sign_ups, provider_visits cascade`;
  const { team, owner } = await createOwnedTeam(db);
  const { user, session } = owner;
  await sql`
    insert into refresh_tokens (session_id, generation, token_hash, expires_at)
    values (${session.id}, 1, sha256('token'), now() + interval '1 day')`;
  await createLink(db, { userId: user.id, purpose: "password-reset", sentTo: user.email });
  const login = { userId: user.id, authVersion: 1, amr: ["pwd"], persistent: true };
  await createPendingLogin(db, { ...login, presented: null });
  await createSignUp(db, "new@example.com");
  await createVisit(db, newToken(), {
    ...{ provider: "oidc", purpose: "log-in", sessionId: null, next: null, persistent: false },
  });
  await insertInvitation(db, team, user);
  await insertTeamKey(db, team, user);
  await addApiKey(user);
}

async function counts(tables: string[]): Promise<number[]> {
  const rows = tables.map((table) => sql`select count(*)::int as n from ${sql(table)}`);
  return (await Promise.all(rows)).map(([row]) => row?.n);
}

it("ends every session, token, link, invitation and remembered browser, and counts the keys that stay", async () => {
  await restore();
  const before = await sql`select auth_version, device_epoch from users order by id`;
  expect(await counts([...ending, ...keys])).toEqual([...ending, ...keys].map(() => 1));

  const { code, said } = await run("--log-out-all");
  expect(code).toBe(0);
  expect(said).toContain("1 sessions ended");
  expect(said).toContain("2 keys still work");
  expect(await counts(ending)).toEqual(ending.map(() => 0));
  expect(await counts(keys)).toEqual([1, 1]);
  const after = await sql`select auth_version, device_epoch from users order by id`;
  for (const [index, user] of after.entries()) {
    expect(user.auth_version).toBe(before[index]?.auth_version + 1);
    expect(user.device_epoch).toBe(before[index]?.device_epoch + 1);
  }
});

it("revokes all keys with --revoke-keys", async () => {
  await restore();
  const { code, said } = await run("--log-out-all", "--revoke-keys");
  expect(code).toBe(0);
  expect(said).not.toContain("still work");
  expect(await counts([...ending, ...keys])).toEqual([...ending, ...keys].map(() => 0));
});

it.each([
  [[], /If you mean it: `npm run db:restored -- --log-out-all/],
  [["--revoke-keys"], /ends all sessions/],
  [["--log-out"], /Unknown option '--log-out'/],
  [["now"], /Unexpected argument 'now'/],
])("changes nothing after %j", async (words, answer) => {
  await restore();
  const before = await wholeDatabase();
  const { code, said } = await run(...words);
  expect(code).toBe(1);
  expect(said).toMatch(answer);
  expect(await wholeDatabase()).toBe(before);
});

it("asks which database was restored if DATABASE_URL is not set", async () => {
  await restore();
  const before = await wholeDatabase();
  const unset = { NODE_ENV: "production", DATABASE_URL: "", DATABASE_DIRECT_URL: "" };
  const { code, said } = await runCommand("db-restored", ["--log-out-all"], unset);
  expect(code).toBe(1);
  expect(said).toContain("Set it to the restored database.");
  expect(await wholeDatabase()).toBe(before);
});
