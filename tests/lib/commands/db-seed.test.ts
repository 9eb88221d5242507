import { describe, expect, it } from "vitest";
import { demoUsers } from "@/lib/dev/seed";
import { runCommand } from "@/tests/support/commands";
import { databaseUrl, sql } from "@/tests/support/database";
import { wholeDatabase } from "@/tests/support/rows";

/* Runs the commands as typed, on the database of DATABASE_URL, which is not the embedded one. */

const run = (file: string, words: string[], env: Record<string, string> = {}) =>
  runCommand(file, words, {
    ...{ NODE_ENV: "development", APP_URL: "", DATABASE_URL: databaseUrl, ...env },
  });

describe.each(["db-seed", "db-reset"])("%s", (file) => {
  const name = file.replace("-", ":");

  it.each<[string, string[], Record<string, string>, RegExp]>([
    ["without --yes", [], {}, new RegExp(`npm run ${name} -- --yes`)],
    ["for an https site", ["--yes"], { APP_URL: "https://app.example.com" }, /published passwords/],
    ["for an HTTPS site", ["--yes"], { APP_URL: "HTTPS://app.example.com" }, /published passwords/],
    ["in production", ["--yes"], { NODE_ENV: "production" }, /Refused in production/],
    ["in staging", ["--yes"], { NODE_ENV: "staging" }, /Refused in production/],
  ])("refuses %s, and changes no row", async (_, words, env, sentence) => {
    const before = await wholeDatabase();
    const { code, said } = await run(file, words, env);
    expect(code).toBe(1);
    expect(said).toMatch(sentence);
    expect(said).not.toMatch(/\n {4,}at /); // no stack trace
    expect(said).not.toContain(new URL(databaseUrl).password);
    expect(await wholeDatabase()).toBe(before);
  });
});

describe("db-seed --yes", () => {
  it.each(["", "development", "test"])("adds the demo users if NODE_ENV is %j", async (mode) => {
    await sql`delete from teams`; // the last owner of a team cannot be deleted
    await sql`delete from users`;
    const { code, said } = await run("db-seed", ["--yes"], { NODE_ENV: mode });
    expect([code, said]).toEqual([0, expect.stringContaining("Demo data added")]);
    const emails = (await sql`select email from users`).map(({ email }) => email);
    expect(emails).toEqual(expect.arrayContaining(demoUsers.map(({ email }) => email)));
  });

  it("accepts an http APP_URL on this machine", async () => {
    const env = { APP_URL: "http://localhost:3000" };
    expect((await run("db-seed", ["--yes"], env)).said).toContain("Data kept as it is");
  });
});
