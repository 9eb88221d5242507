import { readFileSync } from "node:fs";
import { sql as query } from "drizzle-orm";
import { QueryBuilder } from "drizzle-orm/pg-core";
import type postgres from "postgres";
import { beforeAll, describe, expect, it } from "vitest";
import { prepared } from "@/lib/db/prepared";
import { countedConnection, db, racingConnections, sent, sql } from "@/tests/support/database";
import { canReadPlans, readCatalog, unboundStatements } from "@/tests/support/isolation";
import { files } from "@/tests/support/sources";
import { createOwnedTeam } from "@/tests/support/teams";

/*
 * Checks that no statement reads or changes rows of a team without restricting the team. Every test
 * file with a database proves this for the statements it sent (support/database.ts). This file
 * tests the proof itself, and its assumption: the keys of teams' tables.
 */

const readable = await canReadPlans(sql);
const [server] = await sql<{ isSuperuser: boolean }[]>`
  select rolsuper as "isSuperuser" from pg_roles where rolname = current_user`;

// Tables like a product's, under names that no product uses. The proof is not told about them.
beforeAll(async () => {
  await sql`create table test_folders (team_id uuid not null references teams on delete cascade,
    id uuid not null default gen_random_uuid(), name text not null, archived_at timestamptz,
    primary key (team_id, id))`;
  await sql`create table test_links (team_id uuid not null, id uuid not null default gen_random_uuid(),
    folder_id uuid not null, url text not null, added_by uuid references users, primary key (team_id, id),
    foreign key (team_id, folder_id) references test_folders on delete cascade)`;
});

describe.skipIf(!readable)(
  "the proof that statements keep to a team (PostgreSQL 17 or newer)",
  () => {
    const right: Record<string, string> = {
      "by team and id": "select * from test_folders where team_id = $1 and id = $2",
      "an id in a list": "delete from test_folders where (team_id, id) in (($1, $2), ($1, $3))",
      "a join on both columns": `select * from test_links join test_folders
      on test_folders.team_id = test_links.team_id and test_folders.id = test_links.folder_id
      where test_links.team_id = $1`,
      "a join that keeps the folders without links": `select * from test_folders left join test_links
      on test_links.team_id = test_folders.team_id and test_links.folder_id = test_folders.id
      where test_folders.team_id = $1`,
      "a correlated sub-select": `select name, (select count(*) from test_links
        where test_links.team_id = test_folders.team_id and test_links.folder_id = test_folders.id)
      from test_folders where team_id = $1`,
      "sub-selects under an OR": `select * from test_folders where team_id = $1 and (archived_at is null
      or exists (select from test_links where test_links.team_id = test_folders.team_id and url = $2)
      or id not in (select folder_id from test_links where team_id = $1))`,
      "a common table expression": `with page as materialized
        (select team_id as team, id from test_folders where team_id = $1 limit 10)
      select * from page join test_links on test_links.team_id = page.team and test_links.folder_id = page.id`,
      "the rows that a change returns": `with gone as
        (delete from test_folders where team_id = $1 and id = $2 returning team_id)
      select count(*) from members join gone on members.team_id = gone.team_id`,
      "insert … select": `insert into test_links (team_id, folder_id, url)
      select team_id, id, $3 from test_folders where team_id = $1 and id = $2`,
      "update … from": `update test_links set url = $3 from test_folders
      where test_links.team_id = test_folders.team_id and folder_id = test_folders.id
        and test_folders.team_id = $1 and test_folders.id = $2`,
      "an upsert by a key with the team": `insert into invitations (team_id, email, role, expires_at)
      values ($1, $2, 'member', now()) on conflict (team_id, email) do update set expires_at = now()`,
      "a team by its handle": `select * from test_folders
      where team_id = (select id from teams where handle = $1)`,
      "a union of one team's rows": `select * from (
        select team_id, id from test_folders where team_id = $1
        union select team_id, id from test_links where team_id = $1) listed
      join test_folders on test_folders.team_id = listed.team_id`,
      "a union of all teams' rows, joined to one team": `select * from (
        select team_id, id from test_folders union all select team_id, id from test_links) listed
      join teams on teams.id = listed.team_id where teams.handle = $1`,
      "the teams of a user": `select teams.name, count(*) from members own
      join teams on teams.id = own.team_id join members on members.team_id = teams.id
      where own.user_id = $1 group by teams.name`,
      "the teams of a session": `select test_folders.id from sessions
      join members on members.user_id = sessions.user_id
      join test_folders on test_folders.team_id = members.team_id where sessions.token_hash = $1`,
      "the team of a key": `select test_folders.id from team_keys
      join test_folders on test_folders.team_id = team_keys.team_id where key_hash = $1`,
    };

    it.each(Object.entries(right))("finds nothing in %s", async (_, statement) => {
      expect(await unboundStatements(sql, [statement])).toEqual([]);
    });

    const wrong: Record<string, [statement: string, unbound: string]> = {
      "no team": ["select * from test_folders where id = $1", "test_folders"],
      "a change by id alone": ["update test_folders set name = $1 where id = $2", "test_folders"],
      "an OR": ["delete from test_links where team_id = $1 or added_by = $2", "test_links"],
      "a parameter that may be null": [
        "select * from test_folders where $1::uuid is null or team_id = $1",
        "test_folders",
      ],
      "the team compared with itself": [
        "select * from test_folders where team_id = team_id and id = $1",
        "test_folders",
      ],
      "another comparison than equality": [
        "select * from test_folders where team_id >= $1",
        "test_folders",
      ],
      "a join that forgets the team": [
        `select * from test_folders join test_links on test_links.folder_id = test_folders.id
        where test_folders.team_id = $1`,
        "test_links",
      ],
      "a join on the team that nothing binds": [
        `select * from test_folders join test_links on test_links.team_id = test_folders.team_id where test_folders.id = $1`,
        "test_folders, test_links",
      ],
      "a sub-select that forgets the team": [
        `select *, (select count(*) from test_links where folder_id = test_folders.id)
        from test_folders where team_id = $1`,
        "test_links",
      ],
      "a common table expression of all teams": [
        `with page as materialized (select team_id, id from test_folders limit 10)
        select * from test_links join page on page.team_id = test_links.team_id`,
        "test_folders, test_links",
      ],
      "a condition on the side that an outer join may lack": [
        `select * from test_folders left join test_links
        on test_links.team_id = test_folders.team_id and test_links.team_id = $1`,
        "test_folders",
      ],
      "one branch of a union": [
        `select id from test_folders where team_id = $1 union all select id from test_links`,
        "test_links",
      ],
      "a team from a union of which one branch is not bound": [
        `select test_folders.id from test_folders join (
        select id from teams where id = $1 union all select id from teams) any_team
        on any_team.id = test_folders.team_id`,
        "test_folders",
      ],
      "insert … select": [
        "insert into test_links (team_id, folder_id, url) select $1, id, $2 from test_folders where id = $3",
        "test_folders",
      ],
      "an upsert by a key without the team": [
        `insert into team_keys (team_id, name, prefix, key_hash, scopes) values ($1, $2, $3, $4, '{}')
        on conflict (key_hash) do update set name = excluded.name`,
        "team_keys",
      ],
      "colleagues' other teams": [
        `select other.team_id from members own join members other on other.user_id = own.user_id
        where own.team_id = $1`,
        "members other",
      ],
      "the members of all teams": [
        "select users.email from users join members on members.user_id = users.id",
        "members",
      ],
    };

    it.each(Object.entries(wrong))("finds %s", async (_, [statement, unbound]) => {
      expect(await unboundStatements(sql, [statement])).toEqual([
        `Nothing limits ${unbound} to one team (compare its team_id with scope.teamId) in: ${statement}`,
      ]);
    });

    it("sees the statements of any `db`, and not those that a test runs through `sql`", async () => {
      const [racing, counted] = [racingConnections(1), await countedConnection()];
      await db.execute(query`select 1 from test_links`);
      await db.transaction(async (tx) => {
        await tx.execute(query`select 2 from test_links`);
        await tx.transaction((inner) => inner.execute(query`select 3 from test_links`));
      });
      await racing.db.execute(query`select 4 from test_links`);
      await counted.db.execute(query`select 5 from test_links`);
      const six = new QueryBuilder().select({ six: query<number>`6` }).from(query`test_links`);
      await prepared(six)(db, {});
      await sql`select 7 from test_links`;
      await racing.sql.end();
      const found = [...sent].filter((text) => text.includes("test_links"));
      for (const text of found) sent.delete(text);
      expect(found.map((text) => /\d/.exec(text)?.[0])).toEqual(["1", "2", "3", "4", "5", "6"]);
      expect(await unboundStatements(sql, found)).toHaveLength(6);
    });
  },
);

/** The tables with a `team_id` that do not count as a team's, and why. */
const notOfTeams: Record<string, string> = {
  audit_events:
    "events outlive teams, and are read by user too; a team's own are found by an index",
  billing_customers: "a customer outlives its team, so that its subscription can be ended",
  trials: "one for a user, whatever becomes of the team",
};

describe("the tables of teams", () => {
  it("have team_id first in their primary key, or stand on the list", async () => {
    const { teamTables } = await readCatalog(sql);
    const tables = await sql<{ name: string }[]>`
      select table_name as name from information_schema.columns
      where table_schema = 'public' and column_name = 'team_id'`;
    const others = tables.map(({ name }) => name).filter((name) => !teamTables.has(name));
    expect(others.sort()).toEqual(Object.keys(notOfTeams).sort());
    expect([...teamTables]).toEqual(
      expect.arrayContaining(["members", "test_folders", "test_links"]),
    );
  });

  // Otherwise a row of one team could reference a row of another.
  it("have team_id on both sides of each foreign key between them", async () => {
    const teamTables = [...(await readCatalog(sql)).teamTables];
    const keys = await sql<{ name: string; pairs: string[] }[]>`
      select conname as name, array(
        select own.attname || ' = ' || their.attname from unnest(conkey, confkey) as pair (one, other)
        join pg_attribute own on own.attrelid = conrelid and own.attnum = pair.one
        join pg_attribute their on their.attrelid = confrelid and their.attnum = pair.other) as pairs
      from pg_constraint
      join pg_class one on one.oid = conrelid join pg_class other on other.oid = confrelid
      where contype = 'f' and one.relname in ${sql(teamTables)} and other.relname in ${sql(teamTables)}`;
    expect(keys.length).toBeGreaterThan(0);
    expect(keys.filter(({ pairs }) => !pairs.includes("team_id = team_id"))).toEqual([]);
  });
});

describe.skipIf(!server?.isSuperuser)(
  "the recipe for row-level security (a superuser may make a role)",
  () => {
    it("shows and changes only rows of the transaction's team", async () => {
      const [a, b] = [await createOwnedTeam(db), await createOwnedTeam(db)];
      for (const [{ team }, name] of [
        [a, "Ours"],
        [b, "Theirs"],
      ] as const)
        await sql`insert into test_folders (team_id, name) values (${team.id}, ${name})`;
      const readme = readFileSync("lib/teams/README.md", "utf8");
      const [, recipe = ""] = /```sql\n(.*?)```/s.exec(readme) ?? [];
      const names = (rows: Iterable<postgres.Row>) => [...rows].map(({ name }) => name);

      // Rolled back, because a role belongs to the whole server.
      const rolledBack = sql.begin(async (tx) => {
        await tx.unsafe(recipe.replaceAll("folders", "test_folders"));
        await tx`set local role latchkey_app`;
        expect(names(await tx`select name from test_folders`)).toEqual([]);
        await tx`select set_config('latchkey.team', ${a.team.id}, true)`;
        expect(names(await tx`select name from test_folders`)).toEqual(["Ours"]);
        expect(names(await tx`update test_folders set name = 'New' returning name`)).toEqual([
          "New",
        ]);
        const foreign = tx.savepoint(
          (inner) =>
            inner`insert into test_folders (team_id, name) values (${b.team.id}, 'Foreign')`,
        );
        await expect(foreign).rejects.toMatchObject({ code: "42501" });
        await tx`select set_config('latchkey.team', '', true)`;
        expect(names(await tx`select name from test_folders`)).toEqual([]);
        throw new Error("rolled back");
      });
      await expect(rolledBack).rejects.toThrow("rolled back");
    });
  },
);

describe("the pages of a team", () => {
  it("cache nothing for another request", () => {
    const caching = /unstable_cache|["']use cache|force-static|cacheLife|export const revalidate/;
    const found = files("app/(app)").filter((file) => caching.test(readFileSync(file, "utf8")));
    expect(found).toEqual([]);
  });
});
