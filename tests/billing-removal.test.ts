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
 * Follows "Removing it" in lib/billing/README.md on a copy of the checkout, and checks that
 * the rest still works as a product that sells nothing: the migration, types, lint, layers,
 * guards and teams.
 *
 * @module-tag thorough
 */

const copy = removeFromCopy("without-billing", "lib/billing/README.md");

afterAll(copy.delete);

const limit = minutes(10);

describe("without billing", () => {
  it("the migration is generated that drops its tables", { timeout: limit }, async () => {
    expect(await generateMigration(copy)).toEqual([
      ...["billing_customers", "billing_events", "invoices", "subscriptions", "trials"],
    ]);
  });

  it("all types hold", { timeout: limit }, async () => {
    expect(await typeErrors(copy)).toBe("");
  });

  it("the linter has nothing to say, once it has formatted", { timeout: limit }, async () => {
    expect(await lintErrors(copy)).toBe("");
  });

  // They run on the migrated database, without the tables and columns.
  it("layers, guards, isolation, teams, jobs and the seed stand", { timeout: limit }, async () => {
    const teams = ["teams", "lookup", "members", "joining", "deletion", "mails/registry"];
    const files = ["layers", "app/guards", "isolation", "lib/worker", "lib/env", "lib/dev/seed"];
    expect(await testErrors(copy, ...files, ...teams.map((each) => `lib/teams/${each}`))).toBe("");
  });
});
