import { describe, expect, it } from "vitest";
import { getSession, mergeSessionData, rotateSession } from "@/lib/auth/sessions";
import { connect, database, isAnswering } from "@/lib/db/client";
import { setEnv } from "@/lib/env";
import { databaseUrl, db } from "@/tests/support/database";
import { createLogin, createPerson } from "@/tests/support/people";

describe("connect", () => {
  it("prepares no statement for a pooler that cannot keep them", async () => {
    const { token } = await createLogin(db, await createPerson(db));
    const pooled = connect(`${databaseUrl}?pgbouncer=true`, { max: 1 });
    const session = await getSession(pooled.db, token);
    expect(session && (await mergeSessionData(pooled.db, session, {}))).toBe(true);
    expect(await rotateSession(pooled.db, token)).not.toBeNull();
    expect(await pooled.sql`select name from pg_prepared_statements`).toHaveLength(0);
    await pooled.sql.end();
  });

  it("prepares the session lookup everywhere else, so that it is one round trip", async () => {
    const { token } = await createLogin(db, await createPerson(db));
    const own = connect(databaseUrl, { max: 1 });
    await getSession(own.db, token);
    await getSession(own.db, token);
    const rows = await own.sql<{ statement: string }[]>`
      select statement from pg_prepared_statements`;
    expect(rows.filter(({ statement }) => statement.includes(`"token_hash" =`))).toHaveLength(1);
    await own.sql.end();
  });

  it("is known to the server by name", async () => {
    const { sql } = connect(databaseUrl, { max: 1 });
    const [row] = await sql`select current_setting('application_name') as name`;
    expect(row?.name).toBe("latchkey");
    await sql.end();
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
  it("is false, and not an error, where there is no database", async () => {
    const nowhere = connect("postgres://nobody@127.0.0.1:1/nothing", { max: 1 });
    expect(await isAnswering(nowhere.db)).toBe(false);
    await nowhere.sql.end({ timeout: 1 });
  });
});
