import { randomUUID } from "node:crypto";
import { inspect } from "node:util";
import { sql as query } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { mergeSessionData } from "@/lib/auth/sessions/data";
import { getSession } from "@/lib/auth/sessions/lookup";
import { rotateSession } from "@/lib/auth/sessions/rotate";
import { connect, type Db, database, isAnswering } from "@/lib/db/client";
import { users } from "@/lib/db/schema/users";
import { setEnv } from "@/lib/env";
import { databaseUrl, db, sql } from "@/tests/support/database";
import { createLogin, createUser } from "@/tests/support/users";

describe("connect", () => {
  it("prepares no statement for a pooler that cannot keep them", async () => {
    const { token } = await createLogin(db, await createUser(db));
    const pooled = connect(`${databaseUrl}?pgbouncer=true`, { max: 1 });
    const session = await getSession(pooled.db, token);
    expect(session && (await mergeSessionData(pooled.db, session, {}))).toBe(true);
    expect(await rotateSession(pooled.db, token, ["pwd"])).not.toBeNull();
    expect(await pooled.sql`select name from pg_prepared_statements`).toHaveLength(0);
    await pooled.sql.end();
  });

  it("prepares the session lookup everywhere else, so that it is one round trip", async () => {
    const { token } = await createLogin(db, await createUser(db));
    const own = connect(databaseUrl, { max: 1 });
    await getSession(own.db, token);
    await getSession(own.db, token);
    const rows = await own.sql<{ statement: string }[]>`
      select statement from pg_prepared_statements`;
    expect(rows.filter(({ statement }) => statement.includes(`"token_hash" =`))).toHaveLength(1);
    await own.sql.end();
  });

  it("prepares Drizzle's statements, also in a transaction, one for lists of any length", async () => {
    const own = connect(databaseUrl, { max: 1 });
    const find = (on: Db, ids: string[]) =>
      on
        .select({ id: users.id })
        .from(users)
        .where(query`${users.id} = any(${`{${ids}}`}::uuid[])`);
    await find(own.db, [randomUUID()]);
    await find(own.db, [randomUUID(), randomUUID()]);
    await own.db.transaction((tx) => tx.execute(query`select ${1}::int as inside`));
    const rows = await own.sql<{ statement: string }[]>`
      select statement from pg_prepared_statements`;
    const texts = rows.map(({ statement }) => statement);
    expect(texts.filter((text) => text.endsWith("= any($1::uuid[])"))).toHaveLength(1);
    expect(texts).toContain("select $1::int as inside");
    await own.sql.end();
  });

  it("searches a short list of connections, however many statements came before", async () => {
    const own = connect(databaseUrl, { max: 3 });
    const ask = () => own.sql.unsafe("select 1");
    await Promise.all([ask(), ask(), ask()]); // with one connection, postgres.js' list stays empty
    const walked: number[] = [];
    const indexOf = Array.prototype.indexOf;
    Array.prototype.indexOf = function (this: unknown[], ...args) {
      walked.push(this.length);
      return indexOf.apply(this, args);
    };
    // Without `mendQueues`, the list would have 100 entries at the end.
    for (let statement = 0; statement < 100; statement++) await ask();
    Array.prototype.indexOf = indexOf;
    expect(walked.length).toBeGreaterThan(100);
    expect(Math.max(...walked)).toBeLessThan(10);
    await own.sql.end();
  });

  it("sets its application_name", async () => {
    const { sql } = connect(databaseUrl, { max: 1 });
    const [row] = await sql`select current_setting('application_name') as name`;
    expect(row?.name).toBe("latchkey");
    await sql.end();
  });
});

describe("an error of the database, as it is logged", () => {
  const email = "ada@example.com";
  /** Formats an error as `console.error`, Next, and a program that walks its fields print it. */
  const logged = (error: unknown) => {
    const cause = error instanceof Error ? error.cause : undefined;
    return `${inspect(error, { showHidden: false, depth: 10 })} ${JSON.stringify([error, cause])}`;
  };
  const failed = (query: PromiseLike<unknown>) =>
    Promise.resolve(query).then(
      () => "did not fail",
      (error) => logged(error),
    );

  it("contains the constraint that refused a row, and none of its values", async () => {
    const duplicate = { email, name: "Ada Lovelace" };
    await db.insert(users).values(duplicate);
    const texts = [
      await failed(db.insert(users).values(duplicate)),
      await failed(
        db.execute(query`insert into users (email, name) values (${email}, ${"Ada Lovelace"})`),
      ),
      await failed(sql`insert into users (email, name) values (${email}, ${"Ada Lovelace"})`),
    ];
    for (const text of texts) {
      expect(text).toContain("users_email");
      expect(text).toContain("23505");
      expect(text).not.toContain(email);
      expect(text).not.toContain("Lovelace");
    }
    // Postgres reports the whole row if a check fails.
    const row = await failed(
      sql`insert into users (email, name) values (${email.toUpperCase()}, 'Ada')`,
    );
    expect(row).toContain("users_email_normalised");
    expect(row).not.toContain(email.toUpperCase());
  });

  it("contains the type of a refused value, and not the value", async () => {
    for (const text of [
      await failed(sql`select ${email}::text::uuid`),
      await failed(db.execute(query`select ${email}::text::inet`)),
      await failed(sql`select ${`{"a": "${email}`}::text::jsonb`),
    ]) {
      expect(text).toMatch(/invalid input syntax for type (uuid|inet|json)/);
      expect(text).not.toContain(email);
    }
  });

  it("still explains what is wrong with a query", async () => {
    expect(await failed(sql`select nothing from users`)).toContain(
      'column "nothing" does not exist',
    );
  });
});

describe("database", () => {
  it("is one pool, opened at the first call", async () => {
    setEnv({ DATABASE_URL: databaseUrl });
    expect(database()).toBe(database());
    expect(await isAnswering(database())).toBe(true);
  });
});

describe("isAnswering", () => {
  it("is false, and not an error, if there is no database", async () => {
    const nowhere = connect("postgres://unknown@127.0.0.1:1/nothing", { max: 1 });
    expect(await isAnswering(nowhere.db)).toBe(false);
    await nowhere.sql.end({ timeout: 1 });
  });
});
