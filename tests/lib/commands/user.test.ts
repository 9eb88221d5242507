import { describe, expect, it } from "vitest";
import { listPasskeys } from "@/lib/auth/credentials/passkeys";
import { countRecoveryCodes } from "@/lib/auth/credentials/recovery-codes";
import { findTwoFactor } from "@/lib/auth/credentials/two-factor";
import { getSession } from "@/lib/auth/sessions/lookup";
import { runCommand, runSource } from "@/tests/support/commands";
import { databaseUrl, db, sql } from "@/tests/support/database";
import { addSoftPasskey } from "@/tests/support/passkeys";
import { eventRows, mailKinds, wholeDatabase } from "@/tests/support/rows";
import { addTwoFactor } from "@/tests/support/two-factor";
import { createLogin, createUser } from "@/tests/support/users";

/* Runs the command as typed, on the database that DATABASE_URL names. */

const run = (...words: string[]) => runOn(databaseUrl, ...words);

const runOn = (DATABASE_URL: string, ...words: string[]) =>
  runCommand("user", words, { NODE_ENV: "production", DATABASE_URL });

const strong = { amr: ["pwd", "otp"] };

const rowOf = async ({ id }: { id: string }) =>
  (await sql`select role, status, suspension_reason from users where id = ${id}`)[0];

describe.concurrent("npm run user", () => {
  it("makes the first admin, and revokes the role only if there is another admin", async () => {
    const [one, two] = [await createUser(db), await createUser(db)];
    // The email in capitals, as a user may type it.
    const made = await run(one.email.toUpperCase(), "--role", "admin");
    expect(made).toMatchObject({ code: 0, said: expect.stringContaining("is now admin") });
    expect(await rowOf(one)).toMatchObject({ role: "admin" });
    expect((await eventRows(one)).at(-1)).toMatchObject({
      ...{ kind: "role-changed", detail: { role: "admin", by: "operator" }, ip: null },
    });
    expect(await mailKinds(one)).toEqual(["role-changed"]);

    for (const flags of [["--role", "user"], ["--suspend"]]) {
      const refused = await run(one.email, ...flags);
      expect(refused).toMatchObject({
        code: 1,
        said: expect.stringMatching(/last active.*--role admin/s),
      });
    }
    expect(await rowOf(one)).toMatchObject({ role: "admin", status: "active" });
    await run(two.email, "--role=admin");
    expect((await run(one.email, "--role", "user")).code).toBe(0);
    expect(await rowOf(one)).toMatchObject({ role: "user" });
  });

  it("removes all passkeys, and fails if there are none", async () => {
    const user = await createUser(db);
    await addSoftPasskey(db, user);
    expect((await run(user.email, "--passkeys-off")).code).toBe(0);
    expect(await listPasskeys(db, { userId: user.id })).toEqual([]);
    expect((await run(user.email, "--passkeys-off")).code).toBe(1);
  });

  it("suspends, with a reason or without, and reinstates", async () => {
    const user = await createUser(db);
    const { token } = await createLogin(db, user);
    expect((await run(user.email, "--suspend", "Sent", "spam.")).code).toBe(0);
    expect(await rowOf(user)).toMatchObject({
      ...{ status: "suspended", suspension_reason: "Sent spam." },
    });
    expect(await run(user.email, "--suspend")).toMatchObject({
      ...{ code: 1, said: expect.stringContaining("already done") },
    });
    expect((await run(user.email, "--reinstate")).code).toBe(0);
    expect(await rowOf(user)).toMatchObject({ status: "active", suspension_reason: null });
    expect(await getSession(db, token)).toBeNull();
  });

  it("logs one user out everywhere, and no other", async () => {
    const [user, other] = [await createUser(db), await createUser(db)];
    const [login, stays] = [await createLogin(db, user), await createLogin(db, other)];
    expect((await run(user.email, "--log-out")).code).toBe(0);
    expect(await getSession(db, login.token)).toBeNull();
    expect(await getSession(db, stays.token)).not.toBeNull();
  });

  it("turns two-factor off for a user who lost it, and ends everything of that user", async () => {
    const [user, other] = [await createUser(db), await createUser(db)];
    for (const each of [user, other]) await addTwoFactor(db, each);
    const [login, stays] = [
      await createLogin(db, user, strong),
      await createLogin(db, other, strong),
    ];
    const { code, said } = await run(user.email, "--two-factor-off");
    expect([code, said]).toEqual([
      0,
      expect.stringContaining("is off, and the user is logged out"),
    ]);
    expect(await findTwoFactor(db, user.id)).toBeNull();
    expect(await countRecoveryCodes(db, user.id)).toBe(0);
    expect(await getSession(db, login.token)).toBeNull();
    expect((await eventRows(user)).at(-1)).toMatchObject({
      ...{ kind: "two-factor-off", detail: { by: "operator" }, ip: null },
    });
    expect(await mailKinds(user)).toEqual(["two-factor-removed"]);
    expect(await findTwoFactor(db, other.id)).toMatchObject({ recoveryCodes: 8 });
    expect(await getSession(db, stays.token)).not.toBeNull();

    expect(await run(user.email, "--two-factor-off")).toMatchObject({
      ...{ code: 1, said: expect.stringContaining("already done") },
    });
    expect(await mailKinds(user)).toEqual(["two-factor-removed"]);
  });
});

describe("npm run user, given invalid arguments", () => {
  it.each([
    [[], /Name one thing to do/],
    [["other@example.com"], /Name one thing to do/],
    [["--role", "admin"], /Name the user by their email/],
    [["unknown", "--role", "admin"], /unknown is not an email/],
    [["unknown@example.com", "--role", "admin"], /No account has the email unknown@example.com/],
    [["unknown@example.com", "--role", "root"], /--role is one of: user, admin/],
    [["unknown@example.com", "--rol", "admin"], /Unknown option '--rol'/],
    [["unknown@example.com", "--reinstate", "now"], /Unknown argument: now/],
    [["unknown@example.com", "--suspend", "x".repeat(301)], /at most 300/],
    [["unknown@example.com", "--suspend", "--log-out"], /one thing at a time/],
    [["unknown@example.com", "--log-out", "--yes"], /--yes works only with/],
    [["unknown@example.com", "--log-out-all", "--yes"], /leave out the email/],
    [["--log-out-all"], /If you mean it: `npm run user -- --log-out-all --yes`/],
  ])("%j: prints one sentence, and changes no row", async (words, sentence) => {
    const before = await wholeDatabase();
    const { code, said } = await run(...words);
    expect(code).toBe(1);
    expect(said).toMatch(sentence);
    expect(said).not.toMatch(/\n {4,}at /); // no stack trace
    expect(await wholeDatabase()).toBe(before);
  });
});

describe("npm run user, on a database without tables", () => {
  it("says what to do first", async () => {
    const empty = new URL(databaseUrl);
    empty.pathname = "/postgres";
    const answer = await runSource("user", ["other@example.com", "--role", "admin"], {
      NODE_ENV: "production",
      DATABASE_URL: empty.href,
    });
    expect(answer).toMatchObject({ code: 1, said: expect.stringContaining("npm run db:migrate") });
  });
});

describe("npm run user -- --log-out-all", () => {
  it("ends every session of all users, only with --yes", async () => {
    const testUsers = [await createUser(db), await createUser(db)];
    const logins = [];
    for (const user of testUsers) logins.push(await createLogin(db, user));
    const { code, said } = await run("--log-out-all", "--yes");
    expect([code, said]).toEqual([0, expect.stringContaining("All users are logged out")]);
    for (const { token } of logins) expect(await getSession(db, token)).toBeNull();
    expect(await sql`select from sessions`).toHaveLength(0);
    for (const user of testUsers)
      expect((await eventRows(user)).at(-1)).toMatchObject({ kind: "all-sessions-ended" });
    const whole = await sql`
      select from audit_events where user_id is null and kind = 'all-sessions-ended'`;
    expect(whole).toHaveLength(1);
  });
});
