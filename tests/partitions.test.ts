import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { createLogin, createUser } from "@/tests/support/users";
import { db, sql } from "./support/database";

/*
 * Follows what DEPLOY.md says about partitions of `sessions`, and then runs all tests of sessions
 * on that table: this file and theirs share a database.
 *
 * @module-tag thorough
 */

const [, statements = ""] = /```sql\nbegin;([\s\S]*?)commit;\n```/.exec(
  readFileSync("DEPLOY.md", "utf8"),
) ?? [""];

const kept = await createLogin(db, await createUser(db));
await sql.begin((tx) => tx.unsafe(statements));

it("keeps the existing sessions, in partitions", async () => {
  const rows = await sql`select tableoid::regclass::text as partition from sessions`;
  expect(rows).toHaveLength(1);
  expect(rows[0]?.partition).toMatch(/^sessions_\d+$/);
  await createLogin(db, await createUser(db));
  const [{ kind } = {}] =
    await sql`select relkind as kind from pg_class where relname = 'sessions'`;
  expect(kind).toBe("p");
  await sql`delete from sessions where id = ${kept.session.id}`;
});

await import("./lib/auth/sessions/sessions.test");
await import("./lib/auth/tokens/refresh.test");
