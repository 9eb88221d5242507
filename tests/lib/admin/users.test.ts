import { randomUUID } from "node:crypto";
import { beforeAll, describe, expect, it } from "vitest";
import { findUser, findUserId, isShort, listUsers, shortSearchReach } from "@/lib/admin/users";
import { invalidateSession } from "@/lib/auth/sessions/end";
import { db, sql } from "@/tests/support/database";
import { createLogin, createUser } from "@/tests/support/users";

const names = async (page: Partial<Parameters<typeof listUsers>[1]>) =>
  (await listUsers(db, { limit: 100, ...page })).map(({ name }) => name);

beforeAll(async () => {
  for (const [name, email, role, status] of [
    ["Ada Lovelace", "ada@engine.example", "admin", "active"],
    ["Grace O'Hopper", "grace_100%@navy.example", "user", "active"],
    ["Linus 100% Sure", "linus\\d@kernel.example", "user", "suspended"],
    ["ZOË ÅNGSTRÖM", "zoe@list.example", "user", "active"],
    ["李明华", "li@list.example", "user", "active"],
  ])
    await sql`
      insert into users (email, name, role, status) values (${email ?? ""}, ${name ?? ""}, ${role ?? ""}, ${status ?? ""})`;
});

describe("listUsers", () => {
  it("lists all users, the newest first", async () => {
    expect(await names({})).toEqual([
      ...["李明华", "ZOË ÅNGSTRÖM", "Linus 100% Sure", "Grace O'Hopper", "Ada Lovelace"],
    ]);
  });

  it.each([
    ["ADA", ["Ada Lovelace"]],
    ["love", ["Ada Lovelace"]],
    ["engine.ex", ["Ada Lovelace"]],
    ["ada@engine.example", ["Ada Lovelace"]],
    ["o'hop", ["Grace O'Hopper"]],
    ["zoë å", ["ZOË ÅNGSTRÖM"]],
    ["李明华", ["李明华"]],
    ["明", ["李明华"]],
    ["sure", ["Linus 100% Sure"]],
    ["unknown", []],
    ["'; drop table users; --", []],
    [`\ud800`, []],
  ])("finds %s in names and emails, in any case", async (search, found) => {
    expect(await names({ search })).toEqual(found);
  });

  it.each([
    ["100%", ["Linus 100% Sure", "Grace O'Hopper"]],
    ["%", ["Linus 100% Sure", "Grace O'Hopper"]],
    ["_", ["Grace O'Hopper"]],
    ["s\\d", ["Linus 100% Sure"]],
    ["\\", ["Linus 100% Sure"]],
    ["a%e", []],
    ["e_h", []],
  ])("searches for %s literally", async (search, found) => {
    expect(await names({ search })).toEqual(found);
  });

  it("filters by role and status, also within a search", async () => {
    expect(await names({ role: "admin" })).toEqual(["Ada Lovelace"]);
    expect(await names({ status: "suspended" })).toEqual(["Linus 100% Sure"]);
    expect(await names({ role: "admin", status: "suspended" })).toEqual([]);
    expect(await names({ search: "100", status: "suspended" })).toEqual(["Linus 100% Sure"]);
    expect(await names({ search: "list", role: "admin" })).toEqual([]);
  });

  it("continues after the last user of a page, also among users of the same microsecond", async () => {
    await sql`
      insert into users (email, name, created_at)
      select 'twin' || n || '@page.example', 'Twin', '2020-01-01 00:00:00.123456Z'
      from generate_series(1, 7) n`;
    const search = "page.example";
    const all = (await listUsers(db, { search, limit: 100 })).map(({ id }) => id);
    expect(all).toHaveLength(7);
    const seen: string[] = [];
    for (let after: string | undefined; seen.length < 7; ) {
      const page = await listUsers(db, { search, limit: 2, after });
      if (page.length === 0) break;
      seen.push(...page.map(({ id }) => id));
      after = page.at(-1)?.cursor;
    }
    expect(seen).toEqual(all);
    await sql`delete from users where name = 'Twin'`;
  });

  it("starts from the beginning if the cursor is malformed", async () => {
    const { length } = await names({});
    for (const after of [
      ...["", "x", "1.2", "-1.x", `1.${randomUUID()}x`, "9".repeat(400), `1e5.${randomUUID()}`],
      ...[`${"9".repeat(17)}.${randomUUID()}`, `1.${randomUUID().toUpperCase()}`, "\u0000"],
    ])
      expect(await names({ after })).toHaveLength(length);
    expect(await names({ after: `${"9".repeat(16)}.${randomUUID()}` })).toHaveLength(length);
    expect(await names({ after: `0.${randomUUID()}` })).toEqual([]);
  });

  it("returns when a user was last seen, also without sessions", async () => {
    const [here, left, never] = [
      await createUser(db, { name: "Seen Here" }),
      await createUser(db, { name: "Seen Left" }),
      await createUser(db, { name: "Seen Never" }),
    ];
    await createLogin(db, here);
    const { session } = await createLogin(db, left);
    await invalidateSession(db, session, session.id);
    const found = await listUsers(db, { search: "seen", limit: 10 });
    expect(found.map(({ name, lastSeenAt }) => [name, lastSeenAt !== null])).toEqual([
      ["Seen Never", false],
      ["Seen Left", true],
      ["Seen Here", true],
    ]);
    expect((await findUser(db, never.id))?.lastSeenAt).toBeNull();
    expect((await findUser(db, left.id))?.lastSeenAt).toBeInstanceOf(Date);
    await sql`delete from users where name like 'Seen %'`;
  });

  it("returns no secret", async () => {
    const [user] = await listUsers(db, { limit: 1 });
    expect(Object.keys(user ?? {}).sort()).toEqual([
      ...["createdAt", "cursor", "email", "id", "lastSeenAt", "name", "role", "status"],
    ]);
  });
});

describe("a short search", () => {
  it.each(["", "ad", "a.b", "@x", "李明"])("is true of %s", (search) => {
    expect(isShort(search)).toBe(true);
  });
  it.each(["ada", "x@123", "李明华", "Zoë"])("is false of %s", (search) => {
    expect(isShort(search)).toBe(false);
  });

  it("searches only the newest users, and a longer term all users", async () => {
    await sql`
      insert into users (email, name, created_at) values ('qqz@old.example', 'Old', '2001-01-01')`;
    expect(await names({ search: "qq" })).toEqual(["Old"]);
    await sql`
      insert into users (email, name)
      select 'crowd' || n || '@example.com', 'Crowd' from generate_series(1, ${shortSearchReach}::int) n`;
    expect(await names({ search: "qq" })).toEqual([]);
    expect(await names({ search: "qqz" })).toEqual(["Old"]);
    await sql`delete from users where name in ('Crowd', 'Old')`;
  });
});

describe("findUser and findUserId", () => {
  it("find a user by id and by email, or none", async () => {
    const id = await findUserId(db, "ada@engine.example");
    expect(await findUser(db, `${id}`)).toMatchObject({
      ...{ name: "Ada Lovelace", role: "admin", suspensionReason: null },
    });
    expect(await findUserId(db, "unknown@engine.example")).toBeNull();
    expect(await findUser(db, randomUUID())).toBeNull();
  });
});
