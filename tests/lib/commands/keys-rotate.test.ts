import { randomBytes } from "node:crypto";
import { expect, it } from "vitest";
import { findStep } from "@/lib/auth/credentials/two-factor";
import { parseSealingKeys } from "@/lib/auth/sealing";
import { runCommand } from "@/tests/support/commands";
import { databaseUrl, db, sql } from "@/tests/support/database";
import { wholeDatabase } from "@/tests/support/rows";
import { addTwoFactor, keys } from "@/tests/support/two-factor";
import { createUser } from "@/tests/support/users";

/* Runs the command as typed, in production, on the database that DATABASE_URL names. */

const newKey = () => randomBytes(32).toString("base64url");
/** The key that `addTwoFactor` seals with. */
const old = `${keys[0]?.key.toString("base64url")}`;

const run = (env: { ENCRYPTION_KEYS?: string; DATABASE_URL?: string }) =>
  runCommand("keys-rotate", [], { NODE_ENV: "production", DATABASE_URL: databaseUrl, ...env });

it("seals every secret with the first key, once, and reports when the others are unused", async () => {
  const users = [await createUser(db), await createUser(db)] as const;
  const apps = [await addTwoFactor(db, users[0]), await addTwoFactor(db, users[1])] as const;
  const fresh = newKey();
  const rotated = await run({ ENCRYPTION_KEYS: `${fresh},${old}` });
  expect(rotated).toMatchObject({ code: 0, said: expect.stringContaining("2 secrets sealed") });
  expect(rotated.said).toContain("All other keys can be removed");
  expect(rotated.said).not.toContain(fresh);
  for (const [index, app] of apps.entries()) {
    const { id } = users[index === 0 ? 0 : 1];
    expect(await findStep(db, id, app.code(), parseSealingKeys(fresh))).not.toBeNull();
    expect(await findStep(db, id, app.code(), keys)).toBeNull();
  }

  const before = await wholeDatabase();
  const again = await run({ ENCRYPTION_KEYS: fresh });
  expect(again).toMatchObject({ code: 0, said: expect.stringContaining("0 secrets sealed") });
  expect(await wholeDatabase()).toBe(before);
});

it("reports how many secrets no key opens, and leaves them unchanged", async () => {
  await sql`delete from totp_secrets`;
  await addTwoFactor(db, await createUser(db));
  const before = await wholeDatabase();
  const rotated = await run({ ENCRYPTION_KEYS: newKey() });
  expect(rotated.said).toContain("1 could not be opened: the key is not in ENCRYPTION_KEYS");
  expect(rotated.said).not.toContain("can be removed");
  expect(await wholeDatabase()).toBe(before);
});

it.each([
  ["without ENCRYPTION_KEYS", {}, /ENCRYPTION_KEYS/],
  ["with one that is too short", { ENCRYPTION_KEYS: "c2hvcnQ" }, /ENCRYPTION_KEYS/],
  [
    "on a database without tables",
    { ENCRYPTION_KEYS: newKey(), DATABASE_URL: new URL("/postgres", databaseUrl).href },
    /npm run db:migrate/,
  ],
])("refuses %s, with one sentence", async (_, env, sentence) => {
  const before = await wholeDatabase();
  const { code, said } = await run(env);
  expect(code).toBe(1);
  expect(said).toMatch(sentence);
  expect(said).not.toMatch(/\n {4,}at /); // no stack trace
  expect(await wholeDatabase()).toBe(before);
});
