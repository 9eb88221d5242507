import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { minutes } from "@/lib/time";
import { lintErrors, removeFromCopy, testErrors, typeErrors } from "@/tests/support/removal";

/*
 * Follows "Removing it" in app/api/README.md on a copy of the checkout, and checks that the rest
 * still works: types, lint, layers, guards and a unit test or two.
 *
 * @module-tag thorough
 */

const copy = removeFromCopy("without-api", "app/api/README.md");

afterAll(copy.delete);

const limit = minutes(10);

describe("without the API", () => {
  it("nothing is left that needs a bearer, a key or a JWT", async () => {
    const left = readdirSync(copy.directory, { recursive: true, encoding: "utf8" })
      .filter((file) => /^(app|lib|proxy).*\.tsx?$/.test(file))
      .filter((file) =>
        /from "[^"]*\/(tokens\/|bearer"|api\/(openapi|operations|schemas))/.test(
          readFileSync(path.join(copy.directory, file), "utf8"),
        ),
      );
    expect(left).toEqual([]);
  });

  it("all types hold", { timeout: limit }, async () => {
    expect(await typeErrors(copy)).toBe("");
  });

  it("the linter has nothing to say, once it has formatted", { timeout: limit }, async () => {
    expect(await lintErrors(copy)).toBe("");
  });

  it("layers, guards and the account stand", { timeout: limit }, async () => {
    const account = ["lib/auth/account/deletion", "lib/auth/account/export"];
    const files = ["layers", "app/guards", ...account, "lib/clean-up", "lib/env"];
    expect(await testErrors(copy, ...files)).toBe("");
  });
});
