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
 * Follows "Removing it" in lib/projects/README.md on a copy of the checkout, and checks that
 * the rest still works: the migration, types, lint, layers, guards and the tests of teams and
 * of the seed.
 *
 * @module-tag thorough
 */

const copy = removeFromCopy("without-projects", "lib/projects/README.md");

afterAll(copy.delete);

const limit = minutes(10);

describe("without the example", () => {
  it("the migration is generated that drops its tables", { timeout: limit }, async () => {
    expect(await generateMigration(copy)).toEqual(["notes", "projects"]);
  });

  it("all types hold", { timeout: limit }, async () => {
    expect(await typeErrors(copy)).toBe("");
  });

  it("the linter has nothing to say, once it has formatted", { timeout: limit }, async () => {
    expect(await lintErrors(copy)).toBe("");
  });

  // They run on the migrated database, without the tables: each of these files uses it.
  it("layers, guards, teams and the seed stand", { timeout: limit }, async () => {
    const teams = ["lib/teams/teams", "lib/teams/lock-order", "lib/teams/export"];
    const files = ["layers", "app/guards", "lib/db/schema/schema", "lib/dev/seed", ...teams];
    expect(await testErrors(copy, ...files)).toBe("");
  });
});
