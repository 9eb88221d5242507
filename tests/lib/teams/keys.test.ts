import { sql as query } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { apiKeyPolicy } from "@/lib/auth/policy";
import { hashToken } from "@/lib/auth/secrets";
import {
  invalidateAllUserSessions,
  invalidateOtherSessions,
  invalidateSession,
} from "@/lib/auth/sessions/end";
import { newApiKey } from "@/lib/auth/tokens/api-key-format";
import { findApiKey } from "@/lib/auth/tokens/api-keys";
import { plans } from "@/lib/billing/plans";
import type { Db } from "@/lib/db/client";
import {
  createTeamKey,
  deleteExpiredTeamKeys,
  findTeamKey,
  listTeamKeys,
  listTeamKeysMadeBy,
  revokeTeamKey,
  type TeamKeyScope,
  touchTeamKey,
} from "@/lib/teams/keys";
import { minutes } from "@/lib/time";
import { span } from "@/tests/support/ages";
import { createKey } from "@/tests/support/api-keys";
import { countedConnection, db, sql } from "@/tests/support/database";
import { collide } from "@/tests/support/races";
import { eventRows, jobRows, mailKinds, wholeDatabase } from "@/tests/support/rows";
import { createKeyOf } from "@/tests/support/team-keys";
import {
  addMember,
  createOwnedTeam,
  insertTeamKey,
  logInTo,
  type TestMember,
  type TestTeam,
} from "@/tests/support/teams";

const limit = plans.pro.limits.keys;
const wanted = { name: "Backup", scopes: ["projects:read"] as TeamKeyScope[], lifetime: 30 };

/** Returns the rows of the table, with times in seconds from now. */
async function keyRows({ id }: TestTeam) {
  return sql<{ id: string; hash: Buffer; left: number | null; used: number | null }[]>`
    select id, key_hash as hash, extract(epoch from expires_at - now())::float8 as left,
      extract(epoch from now() - last_used_at)::float8 as used
    from team_keys where team_id = ${id} order by created_at, id`;
}

/** Inserts keys with unknown secrets, in one statement. */
async function addKeys({ id }: TestTeam, count: number): Promise<void> {
  await sql`
    insert into team_keys (team_id, name, prefix, key_hash, scopes)
    select ${id}, 'Backup', 'lk_team_0000', sha256(gen_random_uuid()::text::bytea), '{projects:read}'
    from generate_series(1, ${count}::int)`;
}

const lockTeamRow = (team: TestTeam) => (tx: Db) =>
  tx.execute(query`select from teams where id = ${team.id} for update`);

describe("createTeamKey", () => {
  it("makes a key that is found with its scopes and its team", async () => {
    const { team, owner } = await createOwnedTeam(db);
    const { id, key } = await createKeyOf(db, owner.scope, { scopes: ["projects:read"] });
    expect(await findTeamKey(db, key)).toEqual({
      ...{ id, scopes: ["projects:read"], touchDue: true },
      team: { ...team, role: "member", plan: "pro", requiresStrong: false },
    });
    expect(await findApiKey(db, key)).toBeNull();
  });

  it("stores only its SHA-256: the key is in no column of any table, nor in a mail's job", async () => {
    const { team, owner } = await createOwnedTeam(db);
    const { key } = await createKeyOf(db, owner.scope);
    expect((await keyRows(team)).map(({ hash }) => hash)).toEqual([hashToken(key)]);
    expect(await wholeDatabase()).not.toContain(key.slice(12));
  });

  it.each([30, null])("ends after %s days", async (lifetime) => {
    const { team, owner } = await createOwnedTeam(db);
    await createTeamKey(db, owner.scope, { ...wanted, lifetime });
    const [row] = await keyRows(team);
    if (lifetime === null) expect(row?.left).toBeNull();
    else expect(row?.left).toBeCloseTo(lifetime * 24 * 3600, -2);
  });

  it("leaves an event of the team, and mails its owners and its maker", async () => {
    const { team, owner } = await createOwnedTeam(db, { name: "Acme" });
    const admin = await addMember(db, team, "admin");
    const [second, member] = [
      await addMember(db, team, "owner"),
      await addMember(db, team, "member"),
    ];
    await sql`update users set status = 'suspended' where id = ${second.user.id}`;
    const { id, key } = await createKeyOf(db, admin.scope, { name: "Nightly" });
    expect((await eventRows(admin.user)).at(-1)).toMatchObject({
      ...{ kind: "team-key-created", session_id: admin.session.id },
      detail: { key: id, prefix: key.slice(0, 12) },
    });
    expect(
      await sql`select team_id from audit_events where kind = 'team-key-created'
      and user_id = ${admin.user.id}`,
    ).toEqual([{ team_id: team.id }]);
    for (const { user } of [owner, admin])
      expect((await jobRows(user)).at(-1)?.payload).toMatchObject({
        ...{ mail: "team-key-created", to: user.email, key: "Nightly", by: admin.user.email },
        ...{ team: "Acme", handle: team.handle },
      });
    for (const { user } of [second, member]) expect(await mailKinds(user)).toEqual([]);
  });

  it("is allowed to current owners and admins only", async () => {
    const { team } = await createOwnedTeam(db);
    const [admin, member, gone] = [
      await addMember(db, team, "admin"),
      await addMember(db, team, "member"),
      await addMember(db, team, "admin"),
    ];
    expect((await createTeamKey(db, admin.scope, wanted)).ok).toBe(true);
    await sql`update members set role = 'member' where user_id = ${admin.user.id}`;
    await sql`delete from members where user_id = ${gone.user.id}`;
    for (const { scope } of [admin, member, gone])
      expect(await createTeamKey(db, scope, wanted)).toEqual({ ok: false, reason: "not-allowed" });
    expect(await keyRows(team)).toHaveLength(1);
  });

  it("refuses one more than the plan allows, and does not count those that have expired", async () => {
    const { team, owner } = await createOwnedTeam(db);
    await addKeys(team, limit);
    await addKeys((await createOwnedTeam(db)).team, 1);
    expect(await createTeamKey(db, owner.scope, wanted)).toEqual({
      ...{ ok: false, reason: "too-many" },
    });
    expect(await keyRows(team)).toHaveLength(limit);
    expect(await mailKinds(owner.user)).toEqual([]);
    const [{ id = "" } = {}] = await keyRows(team);
    await sql`update team_keys set expires_at = now() - interval '1 second' where id = ${id}`;
    expect((await createTeamKey(db, owner.scope, wanted)).ok).toBe(true);
  });
});

describe("thirty keys at once for the last free place", () => {
  async function createFullTeam() {
    const { team, owner } = await createOwnedTeam(db);
    const admin = await addMember(db, team, "admin");
    await addKeys(team, limit - 1);
    return { team, admins: [owner, admin] };
  }

  it("become one, even if two admins create them", async () => {
    const { team, admins } = await createFullTeam();
    const answers = await collide(30, lockTeamRow(team), (own, index) =>
      createTeamKey(own, (admins[index % 2] as TestMember).scope, wanted),
    );
    expect(answers.filter(({ ok }) => ok)).toHaveLength(1);
    expect(await keyRows(team)).toHaveLength(limit);
  });

  // Proves that the test above can fail: one statement counts in a snapshot older than the lock.
  it("would all be made by one statement that locks and counts", async () => {
    const { team } = await createFullTeam();
    const made = await collide(30, lockTeamRow(team), (own) =>
      own.execute(query`
        with locked as materialized (select id from teams where id = ${team.id} for no key update)
        insert into team_keys (team_id, name, prefix, key_hash, scopes)
        select id, 'Backup', 'lk_team_0000', sha256(gen_random_uuid()::text::bytea), '{projects:read}'
        from locked where (select count(*) from team_keys where team_id = ${team.id}) < ${limit}
        returning id`),
    );
    expect(made.filter((rows) => rows.length === 1)).toHaveLength(30);
  });
});

describe("a session that ends while it creates a key", () => {
  it.each([
    ["was logged out", "delete from sessions where user_id = $1"],
    ["was logged out everywhere", "update users set auth_version = auth_version + 1 where id = $1"],
    ["was suspended", "update users set status = 'suspended' where id = $1"],
  ])("makes none for a user who %s", async (_, meanwhile) => {
    const { team, owner } = await createOwnedTeam(db);
    await sql.unsafe(meanwhile, [owner.user.id]);
    expect(await createTeamKey(db, owner.scope, wanted)).toEqual({
      ...{ ok: false, reason: "not-allowed" },
    });
    expect(await keyRows(team)).toEqual([]);
    expect(await mailKinds(owner.user)).toEqual([]);
  });

  it.each([
    [
      "log out everywhere",
      (tx: Db, { user }: TestMember) => invalidateAllUserSessions(tx, user.id),
    ],
    [
      "log out by another device",
      async (tx: Db, { user }: TestMember, team: TestTeam) =>
        invalidateOtherSessions(tx, (await logInTo(db, team, user)).session),
    ],
    [
      "the removal of the member",
      (tx: Db, { user }: TestMember, team: TestTeam) =>
        tx.execute(query`
          with locked as (select id from users where id = ${user.id} for no key update)
          delete from members using locked where user_id = locked.id and team_id = ${team.id}`),
    ],
  ])("leaves none behind when %s comes first", async (_, first) => {
    const { team } = await createOwnedTeam(db);
    const admin = await addMember(db, team, "admin");
    const [answer] = await collide(
      1,
      (tx) => first(tx, admin, team),
      (own) => createTeamKey(own, admin.scope, wanted),
    );
    expect(answer).toEqual({ ok: false, reason: "not-allowed" });
    expect(await keyRows(team)).toEqual([]);
  });

  // Proves that the tests above can fail: a session looked up before the lock is still found.
  it("would leave one behind if its session were checked before the lock", async () => {
    const { team } = await createOwnedTeam(db);
    const admin = await addMember(db, team, "admin");
    const [created] = await collide(
      1,
      (tx) => invalidateAllUserSessions(tx, admin.user.id),
      (own) =>
        own.execute(query`
          with locked as (
            select users.id from users join sessions on sessions.user_id = users.id
            where users.id = ${admin.user.id} and sessions.id = ${admin.session.id}
            for no key update of users)
          insert into team_keys (team_id, created_by, name, prefix, key_hash, scopes)
          select ${team.id}, id, 'Backup', 'lk_team_0000', sha256('twin'::bytea), '{projects:read}'
          from locked returning id`),
    );
    expect(created).toHaveLength(1);
  });
});

describe("findTeamKey", () => {
  it("runs one statement, and none for a string that is not a team's key", async () => {
    const { owner } = await createOwnedTeam(db);
    const { key } = await createKeyOf(db, owner.scope);
    const counted = await countedConnection();
    for (const wrong of ["", key.slice(0, -1), `${key}0`, newApiKey("user"), "x"])
      expect(await findTeamKey(counted.db, wrong)).toBeNull();
    expect(counted.take()).toEqual([]);
    expect(await findTeamKey(counted.db, key)).not.toBeNull();
    expect(counted.take()).toEqual(["select"]);
  });

  it("finds no unknown key and no user's key", async () => {
    const { owner } = await createOwnedTeam(db);
    expect(await findTeamKey(db, newApiKey("team"))).toBeNull();
    expect(await findTeamKey(db, (await createKey(db, owner.session)).key)).toBeNull();
  });

  it("finds a key until it expires, not afterwards", async () => {
    const { owner } = await createOwnedTeam(db);
    const { id, key } = await createKeyOf(db, owner.scope, { lifetime: 30 });
    await sql`update team_keys set expires_at = now() + interval '2 seconds' where id = ${id}`;
    expect(await findTeamKey(db, key)).not.toBeNull();
    await sql`update team_keys set expires_at = now() where id = ${id}`;
    expect(await findTeamKey(db, key)).toBeNull();
  });

  it("leaves out a scope that the code no longer knows or that only a user's key can have", async () => {
    const { owner } = await createOwnedTeam(db);
    const { id, key } = await createKeyOf(db, owner.scope);
    await sql`
      update team_keys set scopes = '{projects:read,sessions:write,everything}' where id = ${id}`;
    expect((await findTeamKey(db, key))?.scopes).toEqual(["projects:read"]);
  });
});

describe("a key whose team has no active owner", () => {
  it("opens nothing until one is back, or another member is made one", async () => {
    const { team, owner } = await createOwnedTeam(db);
    const second = await addMember(db, team, "owner");
    const { id, key } = await createKeyOf(db, owner.scope);
    const setStatus = (status: string, ...users: string[]) => sql`
      update users set status = ${status} where id in ${sql(users)}`;
    await setStatus("suspended", owner.user.id);
    expect((await findTeamKey(db, key))?.id).toBe(id);
    await setStatus("suspended", second.user.id);
    await addMember(db, team, "admin");
    expect(await findTeamKey(db, key)).toBeNull();
    await setStatus("active", second.user.id);
    expect((await findTeamKey(db, key))?.id).toBe(id);
  });
});

describe("a key of a team", () => {
  it.each([
    ["suspended", "update users set status = 'suspended' where id = $1"],
    ["demoted", "update members set role = 'member' where user_id = $1"],
    ["removed", "delete from members where user_id = $1"],
    ["deleted", "delete from users where id = $1"],
  ])("stays valid when its maker is %s, because it belongs to the team", async (_, meanwhile) => {
    const { team, owner } = await createOwnedTeam(db);
    const admin = await addMember(db, team, "admin");
    const { id, key } = await createKeyOf(db, admin.scope);
    await sql.unsafe(meanwhile, [admin.user.id]);
    expect((await findTeamKey(db, key))?.id).toBe(id);
    const deleted = (await sql`select from users where id = ${admin.user.id}`).length === 0;
    expect((await listTeamKeys(db, owner.scope)).map(({ createdBy }) => createdBy)).toEqual([
      deleted ? null : admin.user.name,
    ]);
  });

  it("stays valid after the end of its maker's sessions", async () => {
    const { owner } = await createOwnedTeam(db);
    const { id, key } = await createKeyOf(db, owner.scope);
    await invalidateSession(db, owner.session, owner.session.id);
    await invalidateAllUserSessions(db, owner.user.id);
    expect((await findTeamKey(db, key))?.id).toBe(id);
  });

  it("ends with the team", async () => {
    const { team, owner } = await createOwnedTeam(db);
    const { key } = await createKeyOf(db, owner.scope);
    await sql`delete from teams where id = ${team.id}`;
    expect(await findTeamKey(db, key)).toBeNull();
  });
});

describe("revokeTeamKey", () => {
  it("ends the key at once, and no other, with an event", async () => {
    const { team, owner } = await createOwnedTeam(db);
    const admin = await addMember(db, team, "admin");
    const [gone, kept] = [await createKeyOf(db, owner.scope), await createKeyOf(db, owner.scope)];
    expect(await revokeTeamKey(db, admin.scope, gone.id)).toEqual({ ok: true });
    expect(await findTeamKey(db, gone.key)).toBeNull();
    expect((await findTeamKey(db, kept.key))?.id).toBe(kept.id);
    expect((await eventRows(admin.user)).at(-1)).toMatchObject({
      ...{ kind: "team-key-revoked", session_id: admin.session.id },
      detail: { key: gone.id, prefix: gone.key.slice(0, 12) },
    });
  });

  it("revokes no key of another team, and answers as for an unknown one", async () => {
    const [a, b] = [await createOwnedTeam(db), await createOwnedTeam(db)];
    const { id, key } = await createKeyOf(db, b.owner.scope);
    const before = await wholeDatabase();
    const unknownId = "0d7a3c55-31c6-4f0f-9c39-0f0a1f4f7b1e";
    for (const wrong of [unknownId, id])
      expect(await revokeTeamKey(db, a.owner.scope, wrong)).toEqual({ ok: false, reason: "gone" });
    expect(await wholeDatabase()).toBe(before);
    expect((await findTeamKey(db, key))?.id).toBe(id);
  });

  it("is allowed to current owners and admins only, with a live session", async () => {
    const { team, owner } = await createOwnedTeam(db);
    const [member, admin] = [
      await addMember(db, team, "member"),
      await addMember(db, team, "admin"),
    ];
    const { id, key } = await createKeyOf(db, owner.scope);
    await sql`update members set role = 'member' where user_id = ${admin.user.id}`;
    const ended = await logInTo(db, team, owner.user);
    await invalidateSession(db, ended.session, ended.session.id);
    for (const { scope } of [member, admin, ended])
      expect(await revokeTeamKey(db, scope, id)).toEqual({ ok: false, reason: "not-allowed" });
    expect((await findTeamKey(db, key))?.id).toBe(id);
  });

  it("succeeds once in ten calls at once", async () => {
    const { team, owner } = await createOwnedTeam(db);
    const { id } = await createKeyOf(db, owner.scope);
    const answers = await collide(10, lockTeamRow(team), (own) =>
      revokeTeamKey(own, owner.scope, id),
    );
    expect(answers.filter(({ ok }) => ok)).toHaveLength(1);
    const kinds = (await eventRows(owner.user)).map(({ kind }) => kind);
    expect(kinds.filter((kind) => kind === "team-key-revoked")).toHaveLength(1);
  });
});

describe("listTeamKeys", () => {
  it("lists only the team's keys, the oldest first, without secrets", async () => {
    const [a, b] = [await createOwnedTeam(db), await createOwnedTeam(db)];
    const first = await createKeyOf(db, a.owner.scope, { name: "First" });
    await createKeyOf(db, a.owner.scope, { name: "Second", lifetime: 30 });
    await createKeyOf(db, b.owner.scope);
    const keys = await listTeamKeys(db, a.owner.scope);
    expect(keys.map(({ name, createdBy }) => [name, createdBy])).toEqual([
      ["First", a.owner.user.name],
      ["Second", a.owner.user.name],
    ]);
    const shown = [
      "id",
      "name",
      "prefix",
      "scopes",
      "createdBy",
      "byMember",
      "createdAt",
      "expiresAt",
    ];
    expect(Object.keys(keys[0] ?? {}).sort()).toEqual([...shown, "expired", "lastUsedAt"].sort());
    expect(JSON.stringify(keys)).not.toContain(first.key.slice(12));
  });

  it("lists expired keys until they are cleaned up", async () => {
    const { owner } = await createOwnedTeam(db);
    const { id } = await createKeyOf(db, owner.scope, { lifetime: 30 });
    await createKeyOf(db, owner.scope);
    const expire = (age: number) => sql`
      update team_keys set expires_at = now() - ${span(age)}::interval where id = ${id}`;
    await expire(apiKeyPolicy.expiredShown - minutes(1));
    await deleteExpiredTeamKeys(db);
    expect((await listTeamKeys(db, owner.scope)).map(({ expired }) => expired)).toEqual([
      ...[true, false],
    ]);
    await expire(apiKeyPolicy.expiredShown + minutes(1));
    await deleteExpiredTeamKeys(db);
    expect(await listTeamKeys(db, owner.scope)).toHaveLength(1);
  });

  it("marks keys whose maker is no longer a member", async () => {
    const { team, owner } = await createOwnedTeam(db);
    const admin = await addMember(db, team, "admin");
    await createKeyOf(db, admin.scope);
    const byMember = async () => (await listTeamKeys(db, owner.scope)).map((key) => key.byMember);
    expect(await byMember()).toEqual([true]);
    await sql`delete from members where user_id = ${admin.user.id}`;
    expect(await byMember()).toEqual([false]);
  });
});

describe("listTeamKeysMadeBy", () => {
  it("lists only the keys that the user made, of any team", async () => {
    const [{ team, owner }, other] = [
      await createOwnedTeam(db, { name: "beta" }),
      await createOwnedTeam(db, { name: "Alpha" }),
    ];
    const admin = await addMember(db, team, "admin");
    await sql`insert into members (team_id, user_id, role)
      values (${other.team.id}, ${admin.user.id}, 'admin')`;
    await createKeyOf(db, owner.scope);
    const made = [
      (await insertTeamKey(db, other.team, admin.user)).id,
      (await createKeyOf(db, admin.scope)).id,
    ];
    const listed = await listTeamKeysMadeBy(db, { userId: admin.user.id });
    expect(listed.map(({ id, team }) => [id, team])).toEqual([
      [made[0], "Alpha"],
      [made[1], "beta"],
    ]);
  });
});

describe("touchTeamKey", () => {
  it("notes the use, at most once per interval", async () => {
    const { team, owner } = await createOwnedTeam(db);
    const { id, key } = await createKeyOf(db, owner.scope);
    await createKeyOf(db, owner.scope);
    const touch = async () => {
      const found = await findTeamKey(db, key);
      if (found) await touchTeamKey(db, found);
    };
    await touch();
    expect((await findTeamKey(db, key))?.touchDue).toBe(false);
    const use = (age: number) => sql`
      update team_keys set last_used_at = now() - ${span(age)}::interval where id = ${id}`;
    await use(apiKeyPolicy.touchInterval - minutes(1));
    await touch();
    expect((await keyRows(team))[0]?.used).toBeGreaterThan(60);
    await use(apiKeyPolicy.touchInterval + minutes(1));
    await touch();
    expect((await keyRows(team)).map(({ used }) => used !== null && used < 60)).toEqual([
      ...[true, false],
    ]);
  });
});
