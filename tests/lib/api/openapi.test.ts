import { Validator } from "@seriousme/openapi-schema-validator";
import { describe, expect, it } from "vitest";
import { openApi } from "@/lib/api/openapi";
import { scopes } from "@/lib/auth/tokens/api-keys";
import { teamKeyScopes } from "@/lib/teams/keys";
import { mismatch } from "@/tests/support/json-schema";

const document = openApi("https://app.example.com");

const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
);

describe("openApi", () => {
  it("is valid by the schema of the OpenAPI initiative", async () => {
    expect(await new Validator().validate(structuredClone(document))).toMatchObject({
      valid: true,
    });
  });

  it("is refused where it is not", async () => {
    const wrong = structuredClone(document);
    Object.assign(wrong.paths, { "/x": { get: { responses: 1 } } });
    expect((await new Validator().validate(wrong)).valid).toBe(false);
  });

  it("has a summary, a sentence and an id of its own for everything", () => {
    const ids = operations.map(({ operation }) => operation.operationId);
    expect(new Set(ids).size).toBe(ids.length);
    for (const { operation } of operations)
      expect(operation.description, operation.operationId).toMatch(/^[A-Z].*\.$/s);
  });

  it("names no scope that there is not, and leaves none out", () => {
    const named = operations.flatMap(({ operation }) =>
      operation.security.flatMap(({ apiKey }) => apiKey ?? []),
    );
    expect([...new Set(named)].sort()).toEqual([...scopes].sort());
  });

  it("names the scopes that a key of a team can have, wherever it takes one", () => {
    const named = operations.flatMap(({ operation }) =>
      operation.security.flatMap(({ teamKey }) => teamKey ?? []),
    );
    expect([...new Set(named)].sort()).toEqual([...teamKeyScopes].sort());
  });
});

describe.each(operations)("$method $path", ({ operation }) => {
  const bodies = [operation.requestBody, ...Object.values(operation.responses)].flatMap((part) =>
    Object.values(part?.content ?? {}),
  );

  it("has examples that fit their schemas", () => {
    for (const { schema, example, examples } of bodies) {
      const values = examples ? Object.values(examples).map(({ value }) => value) : [example];
      expect(values.length).toBeGreaterThan(0);
      for (const value of values) expect(mismatch(document, schema, value)).toBeUndefined();
    }
  });

  it("has schemas that refuse something", () => {
    for (const { schema } of bodies) expect(mismatch(document, schema, 17)).toBeDefined();
  });
});
