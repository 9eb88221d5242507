import { eq, sql as query } from "drizzle-orm";
import { QueryBuilder } from "drizzle-orm/pg-core";
import { describe, expect, it } from "vitest";
import { connect } from "@/lib/db/client";
import { prepared } from "@/lib/db/prepared";
import { sessions } from "@/lib/db/schema/sessions";
import { users } from "@/lib/db/schema/users";
import { databaseUrl, db, sql } from "@/tests/support/database";
import { createLogin, createUser } from "@/tests/support/users";

const select = () =>
  new QueryBuilder()
    .select({
      id: sessions.id,
      tokenHash: sessions.tokenHash,
      amr: sessions.amr,
      createdAt: sessions.createdAt,
      ip: sessions.ip,
      twice: query<number>`1 + 1`.as("twice"),
      half: query`'3'::text`.mapWith(Number),
      user: { id: users.id, email: users.email },
    })
    .from(sessions)
    .innerJoin(users, eq(users.id, sessions.userId))
    .where(eq(sessions.id, query.placeholder("id")));

describe("prepared", () => {
  it("returns the objects that Drizzle returns", async () => {
    const { session } = await createLogin(db, await createUser(db));
    const rows = await prepared(select())(db, { id: session.id });
    expect(rows).toHaveLength(1);
    expect(rows[0]).toMatchObject({ id: session.id, twice: 2, half: 3, ip: null });
    expect(rows[0]?.createdAt).toBeInstanceOf(Date);
    const { id, tokenHash, amr, createdAt, ip } = sessions;
    const [drizzle] = await db
      .select({ id, tokenHash, amr, createdAt, ip, user: { id: users.id, email: users.email } })
      .from(sessions)
      .innerJoin(users, eq(users.id, sessions.userId))
      .where(eq(sessions.id, session.id));
    expect(rows[0]).toEqual({ ...drizzle, twice: 2, half: 3 });
  });

  it("prepares one statement, however often it is called", async () => {
    const own = connect(databaseUrl, { max: 1 });
    const find = prepared(select());
    const { session } = await createLogin(db, await createUser(db));
    for (const id of [session.id, session.userId, session.id]) await find(own.db, { id });
    const rows = await own.sql<{ statement: string }[]>`
      select statement from pg_prepared_statements`;
    expect(rows.filter(({ statement }) => statement.includes("twice"))).toHaveLength(1);
    await own.sql.end();
  });

  it("runs in a transaction", async () => {
    const { session } = await createLogin(db, await createUser(db));
    const find = prepared(select());
    const rows = await db.transaction(async (tx) => {
      await tx.execute(query`delete from sessions where id = ${session.id}`);
      return find(tx, { id: session.id });
    });
    expect(rows).toEqual([]);
    expect(await sql`select from sessions where id = ${session.id}`).toHaveLength(0);
  });

  it("rejects a call without a placeholder's value", async () => {
    await expect(prepared(select())(db, {})).rejects.toThrow("id");
  });

  it("refuses an outer join", () => {
    const { id } = users;
    const joined = new QueryBuilder()
      .select({ id })
      .from(users)
      .leftJoin(sessions, eq(id, sessions.userId));
    expect(() => prepared(joined)).toThrow("inner joins");
  });
});
