import { sql as query } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { unknownClient } from "@/lib/audit";
import { hashToken, newToken } from "@/lib/auth/secrets";
import { createAppSession, createSession } from "@/lib/auth/sessions/create";
import { getSession } from "@/lib/auth/sessions/lookup";
import { rotateSession } from "@/lib/auth/sessions/rotate";
import type { Db } from "@/lib/db/client";
import { db, sql } from "@/tests/support/database";
import { collide } from "@/tests/support/races";
import { eventKinds, sessionRows } from "@/tests/support/rows";
import { createLogin, createUser, type TestUser } from "@/tests/support/users";

const newLogin = (user: TestUser, given: { amr?: string[]; presented?: string } = {}) => ({
  ...{ userId: user.id, authVersion: 1, amr: ["pwd"], persistent: true, presented: null },
  ...{ client: unknownClient, ...given },
});

const confirmApp = (tx: Db, user: TestUser) =>
  tx.execute(query`
    insert into totp_secrets (user_id, secret, confirmed_at) values (${user.id}, '', now())`);

describe("createSession for a user with two-factor", () => {
  it("refuses a proof without a second factor, and changes nothing", async () => {
    const user = await createUser(db);
    const presented = await createLogin(db, user);
    await confirmApp(db, user);
    const before = await sessionRows(user);
    expect(await createSession(db, newLogin(user, { presented: presented.token }))).toBeNull();
    expect(await createSession(db, newLogin(user, { amr: ["google"] }))).toBeNull();
    expect(await createAppSession(db, { ...newLogin(user), deviceName: null })).toBeNull();
    expect(await sessionRows(user)).toEqual(before);
    expect(await eventKinds(user)).toEqual(["logged-in"]);
  });

  it.each([["otp"], ["recovery"], ["passkey"]])(
    "accepts a proof with %s, as strong",
    async (way) => {
      const user = await createUser(db);
      await confirmApp(db, user);
      const created = await createSession(db, newLogin(user, { amr: ["pwd", way] }));
      expect(await getSession(db, `${created?.token}`)).toMatchObject({ strong: true });
    },
  );

  it("accepts a password while the app is not confirmed", async () => {
    const user = await createUser(db);
    const { session } = await createLogin(db, user);
    await sql`insert into totp_secrets (user_id, secret, started_by)
      values (${user.id}, '', ${session.id})`;
    const created = await createSession(db, newLogin(user));
    expect(await getSession(db, `${created?.token}`)).toMatchObject({ strong: false });
  });
});

describe("createSession, thirty at once while two-factor is turned on", () => {
  // Turning two-factor on does not raise auth_version, so only the INSERT can refuse.
  it("logs none of them in", async () => {
    const user = await createUser(db);
    const answers = await collide(
      30,
      async (tx) => {
        await tx.execute(query`select from users where id = ${user.id} for no key update`);
        await confirmApp(tx, user);
      },
      (db) => createSession(db, newLogin(user)),
    );
    expect(answers.filter((each) => each !== null)).toEqual([]);
    expect(await sessionRows(user)).toEqual([]);
  });

  // Proves that the test above can fail: the statement that waits for the lock has an old snapshot.
  it("would log all of them in if the locking SELECT decided", async () => {
    const user = await createUser(db);
    await collide(
      30,
      async (tx) => {
        await tx.execute(query`select from users where id = ${user.id} for no key update`);
        await confirmApp(tx, user);
      },
      (db) =>
        db.transaction(async (tx) => {
          const [allowed] = await tx.execute(query`
            select id from users where id = ${user.id} and not exists (
              select from totp_secrets where user_id = ${user.id} and confirmed_at is not null)
            for no key update`);
          if (!allowed) return;
          await tx.execute(query`
            insert into sessions (user_id, token_hash, auth_version, amr, expires_at)
            values (${user.id}, ${hashToken(newToken())}, 1, '{pwd}', now() + interval '1 day')`);
        }),
    );
    expect(await sessionRows(user)).toHaveLength(30);
  });
});

describe("rotateSession", () => {
  const ways = (id: string) => sql`select amr, last_proof from sessions where id = ${id}`;

  it("joins the ways of proof, but only the last proof makes the session strong", async () => {
    const user = await createUser(db);
    const { token, session } = await createLogin(db, user);
    const withCode = await rotateSession(db, token, ["pwd", "otp"]);
    expect(await getSession(db, `${withCode?.token}`)).toMatchObject({ strong: true });
    expect(await ways(session.id)).toEqual([{ amr: ["pwd", "otp"], last_proof: ["pwd", "otp"] }]);
    const without = await rotateSession(db, `${withCode?.token}`, ["pwd"]);
    expect(await getSession(db, `${without?.token}`)).toMatchObject({ strong: false });
    expect(await ways(session.id)).toEqual([{ amr: ["pwd", "otp"], last_proof: ["pwd"] }]);
  });
});
