import { describe, expect, it } from "vitest";
import { z } from "zod";
import { readJson, readOptionalJson } from "@/app/api/_answer";
import { Problem } from "@/lib/api/problems";

const schema = z.strictObject({
  name: z.string("Enter a name.").optional(),
  inner: z.strictObject({ count: z.number("Enter a number.") }).optional(),
});

function send(body: string, type: string | null = "application/json"): Request {
  const headers = type === null ? undefined : { "content-type": type };
  return new Request("https://app.example.com", {
    method: "POST",
    headers,
    body: Buffer.from(body),
  });
}

async function problemOf(answer: Promise<unknown>): Promise<Problem> {
  const thrown = await answer.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (!(thrown instanceof Problem)) throw new Error(`No problem: ${thrown}`);
  return thrown;
}

/** Returns the errors as serialized: JSON leaves out keys that exist only on the prototype. */
const errorsOf = async (answer: Promise<unknown>) =>
  Object.entries(JSON.parse(JSON.stringify((await problemOf(answer)).extras.errors)));

describe("readJson", () => {
  // Each is a property of every plain object, so an error for it would seem to be set already.
  it.each([
    "__proto__",
    "constructor",
    "prototype",
    "toString",
    "hasOwnProperty",
    "__defineGetter__",
    "valueOf",
  ])("names the unknown field %s, and leaves every other object as it is", async (key) => {
    const before = Object.getOwnPropertyNames(Object.prototype);
    for (const value of ['{"admin":true}', '{"prototype":{"admin":true}}', "null", "1"])
      expect(await errorsOf(readJson(send(`{"${key}":${value}}`), schema))).toEqual([
        [key, "There is no such field."],
      ]);
    expect(await errorsOf(readJson(send(`{"inner":{"count":1,"${key}":{}}}`), schema))).toEqual([
      [`inner.${key}`, "There is no such field."],
    ]);
    expect(Object.getOwnPropertyNames(Object.prototype)).toEqual(before);
    expect({}).not.toHaveProperty("admin");
  });

  it("names every field that is wrong, once", async () => {
    const body = '{"name":1,"inner":{"count":"1"},"__proto__":{},"more":1}';
    expect(Object.fromEntries(await errorsOf(readJson(send(body), schema)))).toEqual({
      name: "Enter a name.",
      "inner.count": "Enter a number.",
      ["__proto__"]: "There is no such field.",
      more: "There is no such field.",
    });
  });

  it.each([
    ["an empty body", "", null, "unsupported-media-type"],
    ["JSON without a type", "{}", null, "unsupported-media-type"],
    ["JSON of another type", "{}", "text/plain", "unsupported-media-type"],
    ["an empty body that is called JSON", "", "application/json", "invalid-json"],
    ["a list", "[]", "application/json", "invalid-input"],
    ["more than 64 KB", `"${"x".repeat(65_536)}"`, "application/json", "too-large"],
  ])("refuses %s", async (_, body, type, code) => {
    expect((await problemOf(readJson(send(body, type), schema))).code).toBe(code);
  });

  it("takes the last of two equal keys, as JSON.parse does", async () => {
    expect(await readJson(send('{"name":"a","name":"b"}'), schema)).toEqual({ name: "b" });
  });
});

describe("readOptionalJson", () => {
  it("reads an empty body of any content type as an empty object", async () => {
    for (const type of [null, "application/json", "text/plain"])
      expect(await readOptionalJson(send("", type), schema)).toEqual({});
    expect(await readOptionalJson(send('{"name":"a"}'), schema)).toEqual({ name: "a" });
  });

  it.each([
    // If it counted as an empty body, this would drop what the caller asked for.
    ["JSON without a type", '{"name":"a"}', null, "unsupported-media-type"],
    ["JSON of another type", '{"name":"a"}', "text/plain", "unsupported-media-type"],
    ["a space", " ", "application/json", "invalid-json"],
    ["null", "null", "application/json", "invalid-input"],
    ["an unknown field", '{"names":"a"}', "application/json", "invalid-input"],
    ["more than 64 KB", `"${"x".repeat(65_536)}"`, null, "too-large"],
  ])("refuses %s", async (_, body, type, code) => {
    expect((await problemOf(readOptionalJson(send(body, type), schema))).code).toBe(code);
  });
});
