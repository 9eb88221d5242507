import { describe, expect, it } from "vitest";
import { isActionBody, isActionRequest } from "@/lib/action-body";

const id = "60".padEnd(42, "a");
const multipart = "multipart/form-data; boundary=----boundary";
const text = "text/plain;charset=UTF-8";

const bytes = (body: string) => new TextEncoder().encode(body);

/** Returns a multipart body with these fields. */
function parts(fields: Record<string, string>, end = "------boundary--\r\n"): string {
  const made = Object.entries(fields).map(
    ([name, value]) =>
      `------boundary\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`,
  );
  return made.join("") + end;
}

const reference = {
  $ACTION_REF_1: "",
  "$ACTION_1:0": `{"id":"${id}","bound":"$@1"}`,
  "$ACTION_1:1": "[{}]",
};

describe("isActionRequest", () => {
  it.each([
    ["POST", id, text],
    ["POST", "anything", null],
    ["POST", null, multipart],
    ["POST", null, "Multipart/Form-Data"],
  ])("is true of a %s with the id %s and the type %s", (method, id, type) => {
    expect(isActionRequest(method, id, type)).toBe(true);
  });

  it.each([
    ["GET", id, text],
    ["POST", null, null],
    ["POST", null, "application/json"],
    ["POST", null, "application/x-www-form-urlencoded"],
    ["PUT", null, multipart],
  ])("is false of a %s with the id %s and the type %s", (method, id, type) => {
    expect(isActionRequest(method, id, type)).toBe(false);
  });
});

describe("isActionBody, for a form without JavaScript", () => {
  const judge = (body: string, type = multipart) => isActionBody(bytes(body), null, type);

  it.each<[string, Record<string, string>]>([
    ["an action's id", { [`$ACTION_ID_${id}`]: "", email: "a@example.com" }],
    ["an action with bound arguments", { ...reference, name: "Ada" }],
    ["one without", { ...reference, "$ACTION_1:0": `{"id":"${id}","bound":null}` }],
    ["the key of the form's state", { ...reference, $ACTION_KEY: "k123" }],
    ["no action, which a handler of the product may want", { file: "content" }],
    ["fields that are no JSON", { ...reference, name: "{", "0": "[" }],
  ])("accepts %s", async (_, fields) => {
    expect(await judge(parts(fields))).toBe(true);
  });

  it.each<[string, string]>([
    ["nothing", ""],
    ["garbage", "garbage"],
    ["a body that ends early", parts(reference, "")],
    [
      "a part without a name",
      "------boundary\r\nContent-Disposition: form-data\r\n\r\n1\r\n------boundary--\r\n",
    ],
    ["a part without headers", "------boundary\r\n\r\n1\r\n------boundary--\r\n"],
    [
      "a part with other headers",
      "------boundary\r\nContent-Disposition: nonsense\r\n\r\n1\r\n------boundary--\r\n",
    ],
    ["an id that is none", parts({ $ACTION_ID_zz: "" })],
    ["an id in the reference that is none", parts({ ...reference, "$ACTION_1:0": '{"id":"zz"}' })],
    ["a reference to nothing", parts({ $ACTION_REF_1: "" })],
    ["a reference that ends early", parts({ ...reference, "$ACTION_1:0": `{"id":"${id}","bou` })],
    ["a reference that is null", parts({ ...reference, "$ACTION_1:0": "null" })],
    ["arguments that end early", parts({ ...reference, "$ACTION_1:1": "[{" })],
    ["arguments that are missing", parts({ ...reference, "$ACTION_1:1": "" })],
    ["arguments that are no list", parts({ ...reference, "$ACTION_1:1": "{}" })],
    ["a name of 1001 characters", parts({ ...reference, ["x".repeat(1001)]: "1" })],
  ])("refuses %s", async (_, body) => {
    expect(await judge(body)).toBe(false);
  });

  it("refuses a form without its boundary", async () => {
    expect(await judge(parts(reference), "multipart/form-data")).toBe(false);
    expect(await judge(parts(reference), "multipart/form-data; boundary=y")).toBe(false);
  });
});

describe("isActionBody, for a body that a script sends", () => {
  it.each([
    ["arguments as JSON", text, '["a",1]'],
    ["a form", multipart, parts({ "1_name": "Ada", "0": '[{},"$K1"]' })],
  ])("accepts %s", async (_, type, body) => {
    expect(await isActionBody(bytes(body), id, type)).toBe(true);
  });

  it.each([
    ["JSON that ends early", text, "["],
    ["nothing", text, ""],
    ["a form that ends early", multipart, parts({ "0": "[]" }, "")],
    ["a form without the arguments", multipart, parts({ "1_name": "Ada" })],
    ["arguments that are no JSON", multipart, parts({ "0": "nope" })],
    ["arguments that are no list", multipart, parts({ "0": '""' })],
    ["JSON that is no list", text, "{}"],
    ["a form without its boundary", "multipart/form-data", parts({ "0": "[]" })],
  ])("refuses %s", async (_, type, body) => {
    expect(await isActionBody(bytes(body), id, type)).toBe(false);
  });

  it.each(["", "nothing", "../../etc/passwd", "__proto__", id.toUpperCase(), `${id}0`])(
    "refuses the id %j",
    async (id) => {
      expect(await isActionBody(bytes("[]"), id, text)).toBe(false);
    },
  );
});
