import * as argon2 from "@node-rs/argon2";
import { drizzle } from "drizzle-orm/postgres-js";
import postgres from "postgres";
import { afterAll, describe, expect, it, vi } from "vitest";
import { unknownClient } from "@/lib/audit";
import { consumeLogIn } from "@/lib/auth/login/limits";
import { logIn } from "@/lib/auth/login/log-in";
import { addMail } from "@/lib/auth/mails/jobs";
import type { Db } from "@/lib/db/client";
import { consumeMail } from "@/lib/rate-limits";
import { databaseUrl, db, sql } from "@/tests/support/database";
import { addIdentity, person } from "@/tests/support/identities";
import { addSoftPasskey } from "@/tests/support/passkeys";
import { jobRows } from "@/tests/support/rows";
import { addTwoFactor } from "@/tests/support/two-factor";
import { createUser, password } from "@/tests/support/users";

/* Checks that neither a response nor the work behind it reveals whether an email has an account. */

// Spied on, not replaced: every hash is real, and counted.
vi.mock("@node-rs/argon2", { spy: true });

const statements: string[] = [];
const counted = postgres(databaseUrl, { max: 1, debug: (_, text) => statements.push(text) });
const countedDb: Db = drizzle({ client: counted });
afterAll(() => counted.end());
await counted`select 1`; // the driver sends a query of its own once per connection

/** Returns the result, the statements sent, and the number of hashes. */
async function workOf<T>(work: (db: Db) => Promise<T>) {
  const hashes = () =>
    vi.mocked(argon2.verify).mock.calls.length + vi.mocked(argon2.hash).mock.calls.length;
  const before = hashes();
  statements.length = 0;
  const answer = await work(countedDb);
  return { answer, statements: [...statements], hashes: hashes() - before };
}

/** Returns an email of each kind. */
async function addresses() {
  const create = () => createUser(db);
  const [known, suspended, passwordless] = [await create(), await create(), await create()];
  const [secured, withPasskey, connected] = [await create(), await create(), await create()];
  await sql`update users set status = 'suspended' where id = ${suspended.id}`;
  await sql`delete from passwords where user_id = ${passwordless.id}`;
  await addTwoFactor(db, secured);
  await addSoftPasskey(db, withPasskey);
  await addIdentity(db, connected, person());
  return {
    known: known.email,
    suspended: suspended.email,
    passwordless: passwordless.email,
    withTwoFactor: secured.email,
    withPasskey: withPasskey.email,
    connected: connected.email,
    unknown: `unknown-${known.email}`,
  };
}

describe("a log in with a wrong password", () => {
  it("gives the same answer for every email, after the same statements and one hash", async () => {
    const visit = { persistent: true, presented: null, knownBrowser: false, client: unknownClient };
    await logIn(db, { email: "x@example.com", password, ...visit }); // the decoy hash is made once
    const { known, ...others } = await addresses();
    const attempt = (email: string) =>
      workOf((db) => logIn(db, { email, password: "wrong", ...visit }));
    const expected = await attempt(known);
    expect(expected).toMatchObject({ answer: { ok: false, reason: "incorrect" }, hashes: 1 });
    expect(expected.statements).toHaveLength(1);
    for (const email of Object.values(others)) expect(await attempt(email)).toEqual(expected);
  });

  it("is limited in the same way for every email", async () => {
    const { known, ...others } = await addresses();
    const attempt = async (email: string) => {
      const from = { email, ip: "203.0.113.9", browser: null };
      const { answer, statements } = await workOf((db) => consumeLogIn(db, from));
      return { answer, statements };
    };
    const expected = await attempt(known);
    for (const email of Object.values(others)) expect(await attempt(email)).toEqual(expected);
  });
});

describe.each(["sign-up", "password-reset", "confirm-browser"] as const)(
  "a %s that is asked for",
  (mail) => {
    it("adds a job for every email alike: the account is looked up when the mail is written", async () => {
      const { known, ...others } = await addresses();
      const ask = async (to: string) => {
        await sql`delete from rate_limits`; // every request has the same IP address
        return workOf(async (db) => {
          const taken = await consumeMail(db, mail, to, null);
          await addMail(db, mail, { to });
          return taken;
        });
      };
      const expected = await ask(known);
      expect(expected).toMatchObject({ answer: { ok: true }, hashes: 0 });
      expect(expected.statements).toHaveLength(3);
      expect(expected.statements.join()).not.toMatch(/users|passwords|links|pending/);
      for (const email of Object.values(others)) expect(await ask(email)).toEqual(expected);
      expect(await jobRows({ email: others.unknown })).toHaveLength(1);
    });
  },
);
