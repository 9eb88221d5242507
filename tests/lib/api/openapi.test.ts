import { Validator } from "@seriousme/openapi-schema-validator";
import { describe, expect, it } from "vitest";
import { openApi } from "@/lib/api/openapi";

const document = openApi("https://app.example.com");

describe("openApi", () => {
  it("is valid by the schema of the OpenAPI initiative", async () => {
    const answer = await new Validator().validate(structuredClone(document));
    expect(answer).toMatchObject({ valid: true });
  });

  it("is refused where it is not", async () => {
    const { paths, ...rest } = structuredClone(document);
    const wrong = { ...rest, paths: { ...paths, "/x": { get: { responses: 1 } } } };
    expect((await new Validator().validate(wrong)).valid).toBe(false);
  });
});
