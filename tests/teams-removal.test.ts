import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { minutes } from "@/lib/time";
import {
  generateMigration,
  lintErrors,
  removeFromCopy,
  testErrors,
  typeErrors,
} from "@/tests/support/removal";

/*
 * Follows "Removing it" in lib/teams/README.md on a copy of the checkout, and checks that the
 * rest still works as a product for single users: the migration, types, lint, layers, guards
 * and the account.
 *
 * @module-tag thorough
 */

const copy = removeFromCopy("without-teams", "lib/billing/README.md", "lib/teams/README.md");

afterAll(copy.delete);

const limit = minutes(10);

describe("without teams", () => {
  it("nothing is left that needs a team", () => {
    const left = readdirSync(copy.directory, { recursive: true, encoding: "utf8" })
      .filter((file) => /^(app|lib|proxy).*\.tsx?$/.test(file))
      .filter((file) =>
        /from "[^"]*\/(teams|projects|billing|members|invitations|team-keys)[/"]|TeamScope|team_id/.test(
          readFileSync(path.join(copy.directory, file), "utf8"),
        ),
      );
    expect(left).toEqual([]);
  });

  it("the migration is generated that drops its tables", { timeout: limit }, async () => {
    const failing = /^ALTER TABLE "audit_events" DROP CONSTRAINT .*;$/m;
    const edit = (migration: string) => {
      expect(migration).toMatch(failing);
      return migration.replace(failing, copy.statements);
    };
    expect(await generateMigration(copy, edit)).toEqual([
      ...["billing_customers", "billing_events", "invitations", "invoices", "members", "notes"],
      ...["projects", "subscriptions", "team_keys", "teams", "trials"],
    ]);
  });

  it("all types hold", { timeout: limit }, async () => {
    expect(await typeErrors(copy)).toBe("");
  });

  it("the linter has nothing to say, once it has formatted", { timeout: limit }, async () => {
    expect(await lintErrors(copy)).toBe("");
  });

  // They run on the migrated database, without the tables and the functions of their triggers.
  it("layers, guards, sessions, the account and the seed stand", { timeout: limit }, async () => {
    const account = ["deletion", "export", "disowned-login", "email-change"];
    const auth = [...account.map((each) => `account/${each}`), "sessions/sessions"];
    const files = ["layers", "app/guards", "app/icons", "lib/clean-up", "lib/dev/seed"];
    expect(await testErrors(copy, ...files, ...auth.map((each) => `lib/auth/${each}`))).toBe("");
  });
});
