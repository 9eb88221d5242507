import { sql as query } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { exportAccount } from "@/lib/auth/account/export";
import { changePassword } from "@/lib/auth/account/password-change";
import { apiKeyPolicy } from "@/lib/auth/policy";
import { hashToken } from "@/lib/auth/secrets";
import {
  invalidateAllUserSessions,
  invalidateOtherSessions,
  invalidateSession,
} from "@/lib/auth/sessions/end";
import { newApiKey } from "@/lib/auth/tokens/api-key-format";
import {
  createApiKey,
  deleteExpiredApiKeys,
  findApiKey,
  findApiKeyById,
  listApiKeys,
  revokeApiKey,
  type Scope,
  touchApiKey,
} from "@/lib/auth/tokens/api-keys";
import type { Db } from "@/lib/db/client";
import { minutes } from "@/lib/time";
import { span } from "@/tests/support/ages";
import { createKey } from "@/tests/support/api-keys";
import { db, sql } from "@/tests/support/database";
import { collide, times } from "@/tests/support/races";
import { eventKinds, eventRows, jobRows, wholeDatabase } from "@/tests/support/rows";
import { createLogin, createUser, newPassword, password } from "@/tests/support/users";

async function createOwner() {
  const user = await createUser(db);
  const { session, token } = await createLogin(db, user);
  return { user, session, token };
}

/** Returns the rows of the table, with times in seconds from now. */
async function keyRows(user: { id: string }) {
  return sql<{ id: string; hash: Buffer; left: number | null; used: number | null }[]>`
    select id, key_hash as hash, extract(epoch from expires_at - now())::float8 as left,
      extract(epoch from now() - last_used_at)::float8 as used
    from api_keys where user_id = ${user.id} order by created_at, id`;
}

const wanted = { name: "Backup", scopes: ["profile:read"] as Scope[], lifetime: 30 };

describe("createApiKey", () => {
  it("makes a key that is found with its scopes and its owner", async () => {
    const { user, session } = await createOwner();
    const { id, key } = await createKey(db, session, { scopes: ["sessions:read"] });
    expect(await findApiKey(db, key)).toEqual({
      id,
      scopes: ["sessions:read"],
      touchDue: true,
      user: { ...user, role: "user" },
    });
  });

  it("stores only its SHA-256: the key is in no column of any table, and not in the mail's job", async () => {
    const { user, session } = await createOwner();
    const { key } = await createKey(db, session);
    expect((await keyRows(user)).map(({ hash }) => hash)).toEqual([hashToken(key)]);
    expect(await wholeDatabase()).not.toContain(key.slice(8 + 4));
  });

  it.each([30, 365, null])("ends after %s days", async (lifetime) => {
    const { user, session } = await createOwner();
    await createApiKey(db, session, { ...wanted, lifetime });
    const [row] = await keyRows(user);
    if (lifetime === null) expect(row?.left).toBeNull();
    else expect(row?.left).toBeCloseTo(lifetime * 24 * 3600, -2);
  });

  it("records an event with its first characters, and mails the owner", async () => {
    const { user, session } = await createOwner();
    const { id, key } = await createKey(db, session, { name: "Nightly" });
    expect((await eventRows(user)).at(-1)).toMatchObject({
      kind: "api-key-created",
      session_id: session.id,
      detail: { key: id, prefix: key.slice(0, 12) },
    });
    expect((await jobRows(user)).at(-1)?.payload).toMatchObject({
      ...{ mail: "api-key-created", to: user.email, key: "Nightly" },
    });
  });

  it("refuses the 26th key, not counting expired ones", async () => {
    const { user, session } = await createOwner();
    for (let i = 0; i < apiKeyPolicy.keysPerUser; i++) await createKey(db, session);
    const before = { rows: await keyRows(user), events: await eventKinds(user) };
    expect(await createApiKey(db, session, wanted)).toEqual({ ok: false, reason: "too-many" });
    expect((await keyRows(user)).length).toBe(before.rows.length);
    expect(await eventKinds(user)).toEqual(before.events);
    expect(await jobRows(user)).toHaveLength(apiKeyPolicy.keysPerUser);

    const [{ id = "" } = {}] = before.rows;
    await sql`update api_keys set expires_at = now() - interval '1 second' where id = ${id}`;
    expect((await createApiKey(db, session, wanted)).ok).toBe(true);
  });

  // A naive variant, one statement that counts without the user's lock, lets all thirty pass.
  it("gives one of thirty concurrent calls the last place", async () => {
    const { user, session } = await createOwner();
    for (let i = 1; i < apiKeyPolicy.keysPerUser; i++) await createKey(db, session);
    const lock = (tx: Db) => tx.execute(`select from users where id = '${user.id}' for update`);
    const answers = await collide(30, lock, (db) => createApiKey(db, session, wanted));
    expect(answers.filter(({ ok }) => ok)).toHaveLength(1);
    expect(await keyRows(user)).toHaveLength(apiKeyPolicy.keysPerUser);
  });

  it.each([
    ["was logged out", "delete from sessions where user_id = $1"],
    ["was logged out everywhere", "update users set auth_version = auth_version + 1 where id = $1"],
    ["was suspended", "update users set status = 'suspended' where id = $1"],
  ])("makes no key for a user who %s meanwhile", async (_, meanwhile) => {
    const { user, session } = await createOwner();
    await sql.unsafe(meanwhile, [user.id]);
    expect(await createApiKey(db, session, wanted)).toEqual({
      ok: false,
      reason: "session-ended",
    });
    expect(await keyRows(user)).toHaveLength(0);
    expect(await jobRows(user)).toHaveLength(0);
  });

  it("makes no key for a session that has ended, although another of the user is live", async () => {
    const { user, session } = await createOwner();
    const other = await createLogin(db, user);
    await invalidateSession(db, other.session, session.id);
    expect(await createApiKey(db, session, wanted)).toEqual({
      ok: false,
      reason: "session-ended",
    });
    expect(await keyRows(user)).toHaveLength(0);
    expect(await jobRows(user)).toHaveLength(0);
  });

  // A naive variant without the join to the session leaves the attacker's key behind.
  it("leaves no key if log out everywhere comes first", async () => {
    const { user, session } = await createOwner();
    const [answer] = await collide(
      1,
      (tx) => invalidateAllUserSessions(tx, user.id),
      (db) => createApiKey(db, session, wanted),
    );
    expect(answer).toEqual({ ok: false, reason: "session-ended" });
    expect(await keyRows(user)).toHaveLength(0);
  });
});

describe("a session that another device logs out while it creates a key", () => {
  async function createRace() {
    const { user, session } = await createOwner();
    return { user, session, owner: await createLogin(db, user) };
  }

  it("leaves no key", async () => {
    const { user, session, owner } = await createRace();
    const [answer] = await collide(
      1,
      (tx) => invalidateOtherSessions(tx, owner.session),
      (db) => createApiKey(db, session, wanted),
    );
    expect(answer).toEqual({ ok: false, reason: "session-ended" });
    expect(await keyRows(user)).toHaveLength(0);
  });

  // Proves that the test above can fail: locking the user alone reads the session as it was before.
  it("would still be found if its row were not locked too", async () => {
    const { user, session, owner } = await createRace();
    const [found] = await collide(
      1,
      (tx) => invalidateOtherSessions(tx, owner.session),
      (db) =>
        db.execute(query`
          select sessions.id from users join sessions on sessions.user_id = users.id
          where users.id = ${user.id} and sessions.id = ${session.id}
          for no key update of users`),
    );
    expect(found).toMatchObject([{ id: session.id }]);
  });
});

describe("findApiKey", () => {
  it("sends no query for a malformed key", async () => {
    const noDatabase = new Proxy({} as Db, {
      get: () => {
        throw new Error("A query!");
      },
    });
    const key = newApiKey("user");
    for (const wrong of ["", key.slice(0, -1), key.replace("live", "test"), `${key}0`, "x"])
      expect(await findApiKey(noDatabase, wrong)).toBeNull();
    await expect(findApiKey(noDatabase, key)).rejects.toThrow("A query!");
  });

  it("does not find a key that was never made", async () => {
    expect(await findApiKey(db, newApiKey("user"))).toBeNull();
  });

  it("finds a key until it expires, to the second", async () => {
    const { session } = await createOwner();
    const { id, key } = await createKey(db, session, { lifetime: 30 });
    await sql`update api_keys set expires_at = now() + interval '2 seconds' where id = ${id}`;
    expect(await findApiKey(db, key)).not.toBeNull();
    await sql`update api_keys set expires_at = now() where id = ${id}`;
    expect(await findApiKey(db, key)).toBeNull();
    expect(await findApiKeyById(db, id)).toBeNull();
  });

  it("finds no key of a suspended owner, and finds it again once reinstated", async () => {
    const { user, session } = await createOwner();
    const { id, key } = await createKey(db, session);
    await sql`update users set status = 'suspended' where id = ${user.id}`;
    expect(await findApiKey(db, key)).toBeNull();
    expect(await findApiKeyById(db, id)).toBeNull();
    await sql`update users set status = 'active' where id = ${user.id}`;
    expect((await findApiKey(db, key))?.id).toBe(id);
  });

  it("returns the owner's current role", async () => {
    const { user, session } = await createOwner();
    const { key } = await createKey(db, session);
    await sql`update users set role = 'admin' where id = ${user.id}`;
    expect((await findApiKey(db, key))?.user.role).toBe("admin");
  });

  it("drops a scope that the code no longer has", async () => {
    const { session } = await createOwner();
    const { id, key } = await createKey(db, session);
    await sql`update api_keys set scopes = '{profile:read,everything}' where id = ${id}`;
    expect((await findApiKey(db, key))?.scopes).toEqual(["profile:read"]);
  });
});

describe("what ends a key", () => {
  it("is neither log out, log out everywhere nor a new password: servers hold it", async () => {
    const { user, session, token } = await createOwner();
    const { id, key } = await createKey(db, session);
    const change = { presented: token, current: password, next: newPassword };
    expect(await changePassword(db, session, change)).toMatchObject({ ok: true });
    expect(await invalidateSession(db, session, session.id)).toBe(true);
    await createLogin(db, user);
    expect(await invalidateAllUserSessions(db, user.id)).toBe(1);
    expect((await findApiKey(db, key))?.id).toBe(id);
  });

  it("is the deletion of its owner's account", async () => {
    const { user, session } = await createOwner();
    const { key } = await createKey(db, session);
    await sql`delete from users where id = ${user.id}`;
    expect(await findApiKey(db, key)).toBeNull();
  });
});

describe("revokeApiKey", () => {
  it("ends the key at once, and no other, with an event", async () => {
    const { user, session } = await createOwner();
    const [gone, kept] = [await createKey(db, session), await createKey(db, session)];
    expect(await revokeApiKey(db, session, gone.id)).toBe(true);
    expect(await findApiKey(db, gone.key)).toBeNull();
    expect(await findApiKeyById(db, gone.id)).toBeNull();
    expect((await findApiKey(db, kept.key))?.id).toBe(kept.id);
    expect((await eventRows(user)).at(-1)).toMatchObject({
      ...{ kind: "api-key-revoked", session_id: session.id },
      detail: { key: gone.id, prefix: gone.key.slice(0, 12) },
    });
  });

  it("does not revoke another user's key, and answers as for an unknown one", async () => {
    const [owner, otherUser] = [await createOwner(), await createOwner()];
    const { id, key } = await createKey(db, owner.session);
    const unknownId = "0d7a3c55-31c6-4f0f-9c39-0f0a1f4f7b1e";
    expect(await revokeApiKey(db, otherUser.session, unknownId)).toBe(false);
    expect(await revokeApiKey(db, otherUser.session, id)).toBe(false);
    expect((await findApiKey(db, key))?.id).toBe(id);
    expect(await eventKinds(otherUser.user)).toEqual(["logged-in"]);
    expect(await eventKinds(owner.user)).toEqual(["logged-in", "api-key-created"]);
  });

  it("succeeds once of ten concurrent calls", async () => {
    const { user, session } = await createOwner();
    const { id } = await createKey(db, session);
    const lock = (tx: Db) => tx.execute(`select from api_keys where id = '${id}' for update`);
    const answers = await collide(10, lock, (db) => revokeApiKey(db, session, id));
    expect(answers.filter(Boolean)).toHaveLength(1);
    expect((await eventKinds(user)).filter((kind) => kind === "api-key-revoked")).toHaveLength(1);
  });

  // A naive variant without `for key share` first deadlocks with the account's deletion: it holds
  // the key and waits for the user, while the deletion holds the user and waits for the key.
  it("does not deadlock with the deletion of its owner's account", async () => {
    for (const { user, session } of await Promise.all(times(20, createOwner))) {
      const keys = await Promise.all(times(3, () => createKey(db, session)));
      const answers = await Promise.all([
        ...keys.map(({ id }) => revokeApiKey(db, session, id)),
        sql`delete from users where id = ${user.id}`,
      ]);
      expect(answers).toHaveLength(4);
      expect(await keyRows(user)).toEqual([]);
    }
  });
});

describe("listApiKeys", () => {
  it("lists only the acting user's keys, oldest first, without a secret", async () => {
    const [owner, otherUser] = [await createOwner(), await createOwner()];
    const first = await createKey(db, owner.session, { name: "First" });
    await createKey(db, owner.session, { name: "Second", lifetime: 30 });
    await createKey(db, otherUser.session);
    const keys = await listApiKeys(db, owner.session);
    expect(keys.map(({ name, expired }) => [name, expired])).toEqual([
      ["First", false],
      ["Second", false],
    ]);
    expect(Object.keys(keys[0] ?? {}).sort()).toEqual(
      ["createdAt", "expired", "expiresAt", "id", "lastUsedAt", "name", "prefix", "scopes"].sort(),
    );
    expect(JSON.stringify(keys)).not.toContain(first.key.slice(12));
  });

  it("still lists expired keys until they are cleaned up", async () => {
    const { session } = await createOwner();
    const { id } = await createKey(db, session, { lifetime: 30 });
    await createKey(db, session);
    await sql`update api_keys set expires_at = now() - ${span(apiKeyPolicy.expiredShown - minutes(1))}::interval where id = ${id}`;
    await deleteExpiredApiKeys(db);
    expect((await listApiKeys(db, session)).map(({ expired }) => expired)).toEqual([true, false]);
    await sql`update api_keys set expires_at = now() - ${span(apiKeyPolicy.expiredShown + minutes(1))}::interval where id = ${id}`;
    await deleteExpiredApiKeys(db);
    expect(await listApiKeys(db, session)).toHaveLength(1);
  });
});

describe("exportAccount", () => {
  it("contains the keys, without their secrets", async () => {
    const { session } = await createOwner();
    const { key } = await createKey(db, session);
    const text = JSON.stringify((await exportAccount(db, session)).apiKeys);
    expect(text).toContain(key.slice(0, 12));
    expect(text).not.toContain(key.slice(12));
    expect(text).not.toContain(hashToken(key).toString("hex"));
  });
});

describe("touchApiKey", () => {
  it("records the use, at most once per interval", async () => {
    const { user, session } = await createOwner();
    const { id, key } = await createKey(db, session);
    await touchApiKey(db, { id });
    expect((await findApiKey(db, key))?.touchDue).toBe(false);
    await sql`update api_keys set last_used_at = now() - ${span(apiKeyPolicy.touchInterval - minutes(1))}::interval where id = ${id}`;
    await touchApiKey(db, { id });
    expect((await keyRows(user))[0]?.used).toBeGreaterThan(60);
    await sql`update api_keys set last_used_at = now() - ${span(apiKeyPolicy.touchInterval + minutes(1))}::interval where id = ${id}`;
    expect((await findApiKey(db, key))?.touchDue).toBe(true);
    await touchApiKey(db, { id });
    expect((await keyRows(user))[0]?.used).toBeLessThan(60);
  });
});
